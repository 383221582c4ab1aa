"""Depth images: conversion to point clouds, normals, and compression."""

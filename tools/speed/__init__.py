"""Measure this project's speed and memory against the reference's, in one run.

Each benchmark runs both in turn on the same input and reports medians, quartiles and ratios. The
ratios hold when the machine's speed drifts. None of them is a test.
"""

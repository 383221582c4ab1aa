"""Preparation of raw data, and verification of prepared folders.

For pretraining: ``prepare_scene`` makes one scene, ``prepare`` all scenes on ``cluster``, and
``verify`` checks every byte. ``sources`` are what a configuration names to have this done by a run.
For finetuning: ``scene_conversion`` and ``conversion_cli`` are shared by all converters in
``datasets/``.
"""

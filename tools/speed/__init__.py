"""Our figures beside the reference's, measured in one run: ``tools/benchmark.py``.

Each benchmark runs ours and theirs in turn on the same input and reports medians, spread and
ratios, so that they hold when the machine's speed drifts. It is never a test.
"""

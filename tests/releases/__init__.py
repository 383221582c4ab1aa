"""Generators of small raw releases in the layouts of the real ones, whose data cannot be shipped.

Each is run from the root of the repository: ``python -m tests.releases.s3dis.release OUTPUT``.
"""

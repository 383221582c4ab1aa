"""Compiled kernels for points: C++ in ``csrc``, called through ctypes.

``library`` finds the built libraries; ``points``, ``overlap`` and ``depth`` call them. Every kernel
is optional and gives the same numbers as the Python code that calls it.
"""

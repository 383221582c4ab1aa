"""The compiled kernels for points: C++ in ``csrc``, called through ctypes.

``library`` finds what was built; ``points``, ``overlap`` and ``depth`` call it. Each kernel is
optional and gives the same numbers as the Python beside its call.
"""

"""The compiled part; everything else stands in pyproject.toml.

The kernels are plain C functions called through ctypes: any C++ compiler will do, and no header of
Python or torch is needed. Where they cannot be built the package installs all the same and uses
NumPy and SciPy, to the same results, more slowly.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "pointcontrast._point_kernels",
            sources=["pointcontrast/csrc/points.cpp"],
            language="c++",
            # no fused multiply-add: distances must be those of SciPy to the bit
            extra_compile_args=["-O3", "-std=c++17", "-ffp-contract=off"],
            optional=True,
        )
    ]
)

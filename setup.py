"""The compiled parts; everything else stands in pyproject.toml.

The kernels are plain C functions called through ctypes: any compiler that takes GCC's words will
do, and no header of Python or torch is needed. Where they cannot be built the package installs all
the same and does without, to the same results, more slowly.
"""

from pathlib import Path

from setuptools import Extension, setup

FLAGS = ["-O3", "-std=c++17", "-g0"]  # Python asks for -g, which takes a third longer
POINTS = Path("pointcontrast/compiled/csrc")
SPARSE = Path("pointcontrast/sparse/csrc")

setup(
    ext_modules=[
        Extension(
            "pointcontrast.compiled._point_kernels",
            sources=sorted(str(path) for path in POINTS.glob("*.cpp")),
            depends=sorted(str(path) for path in POINTS.glob("*.h")),
            language="c++",
            # no fused multiply-add: distances must be those of SciPy to the bit
            extra_compile_args=[*FLAGS, "-ffp-contract=off"],
            optional=True,
        ),
        Extension(
            "pointcontrast.sparse._sparse_kernels",
            sources=sorted(str(path) for path in SPARSE.glob("*.cpp")),
            depends=sorted(str(path) for path in (*SPARSE.glob("*.h"), *SPARSE.glob("*.inl"))),
            language="c++",
            # multiply-adds are what the kernels are made of
            extra_compile_args=[*FLAGS, "-ffp-contract=fast", "-fno-math-errno"],
            extra_link_args=["-pthread"],
            optional=True,
        ),
    ]
)

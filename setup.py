"""The compiled parts; everything else is in pyproject.toml.

The kernels are plain C functions called through ctypes: any compiler that takes GCC's options will
do, and no header of Python or torch is needed. Where they cannot be built, the package installs
without them and computes the same results, more slowly.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FLAGS = ["-O3", "-std=c++17", "-g0"]  # Python's own flags have -g, which takes a third longer
POINTS = Path("pointcontrast/compiled/csrc")
SPARSE = Path("pointcontrast/sparse/csrc")


class ParallelBuild(build_ext):
    """Compile the sources of an extension at the same time, one compiler per core."""

    def build_extension(self, ext):
        """Build one extension."""
        compile_all = self.compiler.compile

        def compile_in_parallel(sources, *args, **kwargs):
            Path(self.build_temp).mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                compiled = pool.map(lambda source: compile_all([source], *args, **kwargs), sources)
                return [name for names in compiled for name in names]

        self.compiler.compile = compile_in_parallel
        try:
            super().build_extension(ext)
        finally:
            self.compiler.compile = compile_all


setup(
    cmdclass={"build_ext": ParallelBuild},
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
            # the kernels consist of multiply-adds
            extra_compile_args=[*FLAGS, "-ffp-contract=fast", "-fno-math-errno"],
            extra_link_args=["-pthread"],
            optional=True,
        ),
    ],
)

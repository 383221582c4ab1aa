"""The benchmarks: one file each. A configuration names one under ``data.benchmark``."""

from downstream.benchmarks.benchmark import Benchmark, Split
from downstream.benchmarks.labelled_scenes import LabelledScenes
from downstream.benchmarks.s3dis import S3DIS
from downstream.benchmarks.scannet import ScanNet
from downstream.benchmarks.shapenet import ShapeNet
from downstream.benchmarks.shapenetpart import ShapeNetPart
from downstream.benchmarks.synthia4d import Synthia4D

__all__ = [
    "S3DIS",
    "Benchmark",
    "LabelledScenes",
    "ScanNet",
    "ShapeNet",
    "ShapeNetPart",
    "Split",
    "Synthia4D",
]

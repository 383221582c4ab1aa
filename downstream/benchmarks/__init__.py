"""Benchmarks: datasets with their metric. A configuration names one under ``data.benchmark``.

``benchmark`` is the contract; ``cloud_preparation`` says how points of a scan become a cloud.
``labelled_scenes``, ``detection`` and ``shapes`` are what the benchmarks derive from.
"""

from downstream.benchmarks.benchmark import Benchmark, Split
from downstream.benchmarks.detection import DetectionBenchmark, DetectionScenes
from downstream.benchmarks.labelled_scenes import LabelledScenes
from downstream.benchmarks.s3dis import S3DIS
from downstream.benchmarks.scannet import ScanNet, ScanNetDetection
from downstream.benchmarks.shapenet import ShapeNet
from downstream.benchmarks.shapenetpart import ShapeNetPart
from downstream.benchmarks.sunrgbd import SUNRGBD
from downstream.benchmarks.synthia4d import Synthia4D

__all__ = [
    "S3DIS",
    "SUNRGBD",
    "Benchmark",
    "DetectionBenchmark",
    "DetectionScenes",
    "LabelledScenes",
    "ScanNet",
    "ScanNetDetection",
    "ShapeNet",
    "ShapeNetPart",
    "Split",
    "Synthia4D",
]

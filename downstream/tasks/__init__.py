"""Tasks: what is predicted, the loss that trains it and the metrics that score it.

``task`` is the contract; ``segmentation`` (scenes, and parts of shapes), ``classification`` and
``detection`` keep it. ``box_coding`` gives a detection network's outputs their meaning,
``detection_loss`` trains them.
"""

from downstream.tasks.classification import Classification
from downstream.tasks.detection import Detection, DetectionSettings
from downstream.tasks.segmentation import PartSegmentation, Segmentation
from downstream.tasks.task import ClassTask, Task

__all__ = [
    "ClassTask",
    "Classification",
    "Detection",
    "DetectionSettings",
    "PartSegmentation",
    "Segmentation",
    "Task",
]

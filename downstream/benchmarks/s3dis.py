"""S3DIS: segmentation of rooms, 13 classes; one of six areas is tested, the others train."""

from __future__ import annotations

from downstream.benchmarks.benchmark import Split
from downstream.benchmarks.labelled_scenes import SceneBenchmark
from downstream.releases.s3dis.classes import CLASS_NAMES
from downstream.releases.s3dis.rooms import AREAS
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import find_labelled_scenes


class S3DIS(SceneBenchmark):
    """Folders ``<root>/Area_5/office_1`` of ``datasets/s3dis.py rooms``.

    Validation and test are the same rooms, as in the released code (PointContrast
    ``downstream/semseg/lib/datasets/stanford.py``): the best network is selected on the rooms that
    score it. Six-fold scores need six runs, one per ``test_area``, evaluated together.
    """

    class_names = CLASS_NAMES

    def __init__(self, root: str, test_area: int = 5) -> None:
        """Test on ``test_area`` (1 to 6), and train on the other areas that exist."""
        super().__init__(root, test_area=test_area)
        if test_area not in AREAS:
            raise InputError(f"test_area {test_area} must be one of {AREAS}")
        self.test_area = test_area

    def names(self, split: Split) -> list[str]:
        """List rooms, such as ``Area_5/office_1``."""
        rooms = [
            folder.relative_to(self.root).as_posix() for folder in find_labelled_scenes(self.root)
        ]
        tested = f"Area_{self.test_area}/"
        chosen = [room for room in rooms if room.startswith(tested) == (split != "train")]
        if not chosen:
            raise InputError(
                f"{self.root} holds no room of "
                + ("any other area than " if split == "train" else "")
                + f"area {self.test_area}; convert it with datasets/s3dis.py rooms"
            )
        return chosen

    def fold(self) -> str:
        """Name of the tested area."""
        return f"area {self.test_area}"

"""The view store: all views of one scene in one memory-mapped folder.

A store holds depth images (``pointcontrast.scenes.packed_images``: every pixel, lossless) or
points thinned to a grid (``pointcontrast.scenes.packed_points``). Everything else is in
``meta.json`` (:class:`~pointcontrast.scenes.scene_meta.SceneMeta`), which is written last.

The authors store one ``.npz`` of full-resolution float64 points per view: 24 bytes per pixel. The
depth image that the points come from holds the same in a quarter to half a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from pointcontrast.errors import InputError
from pointcontrast.files import sha256
from pointcontrast.scenes.packed_images import ImageReader
from pointcontrast.scenes.packed_points import PointReader
from pointcontrast.scenes.scene_meta import REDO, read_meta
from pointcontrast.types import Cloud, PointCloud

_READERS = {"depth": ImageReader, "points": PointReader}


class ViewStore(Sequence[PointCloud]):
    """The views of one scene.

    Opening reads no points. A store can be pickled, which transfers its path only.
    """

    def __init__(self, path: Path) -> None:
        """Open the store in folder ``path``.

        Raises:
            InputError: No store, or one that is incomplete, damaged or too new; the message names
                the file.
        """
        self.path = path
        self.meta = read_meta(path)
        self._check_sizes()
        if self.meta.storage not in _READERS:
            raise InputError(
                f"{path / 'meta.json'} names the storage {self.meta.storage!r}, not one of "
                f"{', '.join(_READERS)}; {REDO}"
            )
        try:
            self._views = _READERS[self.meta.storage](path, self.meta.content, self.meta.num_points)
        except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
            raise InputError(f"{path} is incomplete or damaged ({error}); {REDO}") from None

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.meta.frame_ids)

    @overload
    def __getitem__(self, index: int) -> PointCloud: ...
    @overload
    def __getitem__(self, index: slice) -> list[PointCloud]: ...
    def __getitem__(self, index: int | slice) -> PointCloud | list[PointCloud]:
        """Read view ``index`` with all colours and normals, float32 world metres."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.read(index)[:]

    def read(self, index: int, *, colors: bool = True, normals: bool = True) -> Cloud:
        """Read view ``index`` as a cloud that computes colours and normals of selected points.

        Args:
            index: Index of the view; negative ones count from the end.
            colors: Whether selected points have colours, if the view has them.
            normals: Whether selected points have normals, if the view has them.

        Raises:
            InputError: The view is damaged.
        """
        index = range(len(self))[index]  # negative indices, and IndexError past the end
        return self._views.read(index, self.meta.poses[index], colors=colors, normals=normals)

    def verify(self) -> None:
        """Compare every byte with the checksums.

        Raises:
            InputError: A file differs from what was written.
        """
        for name, facts in self.meta.files.items():
            if sha256(self.path / name) != facts["sha256"]:
                raise InputError(f"{self.path / name} is damaged (its checksum differs); {REDO}")

    def __reduce__(self) -> tuple[type[ViewStore], tuple[Path]]:
        """Pickle the path only; a memory map would be pickled with all its points."""
        return ViewStore, (self.path,)

    def _check_sizes(self) -> None:
        for name, facts in self.meta.files.items():
            path = self.path / name
            if not path.exists():
                raise InputError(f"{path} is missing; {REDO}")
            if path.stat().st_size != facts["bytes"]:
                raise InputError(
                    f"{path} is damaged: it has {path.stat().st_size} bytes, not "
                    f"{facts['bytes']}; {REDO}"
                )

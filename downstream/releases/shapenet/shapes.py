"""Conversion of the categories of ShapeNetCore to shape sets.

A shape consists of points sampled on its mesh, one at random per equal share of the area, with the
normals of their faces. The sign of a normal means nothing, because ShapeNet's faces are not
oriented consistently. Coordinates are those of the release: y up, about one unit across.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from downstream.releases.shapenet.categories import CATEGORY_NAMES, SYNSETS
from downstream.releases.shapenet.layout import (
    MODEL_FILES,
    SPLIT_FILE,
    CategoryModels,
    find_categories,
    names_left_out,
    read_split_file,
)
from downstream.releases.shapenet.obj_mesh import ObjMesh, read_obj
from downstream.shapes.conversion import (
    ConvertedShapeSet,
    ShapeConversion,
    convert_categories,
    make_shape_set,
)
from downstream.shapes.shape_set import Shape, ShapeSetInfo
from downstream.shapes.writer import LeftOut
from pointcontrast.errors import InputError
from pointcontrast.preparation.scene_conversion import source_fingerprint
from pointcontrast.preparation.workers import THIS_PROCESS, Workers
from pointcontrast.recordings.reconstruction.surface_points import sample_surface

_RECIPE = 1  # increased when the same files would give other shapes
# limits for models about one unit across
_SMALLEST_AREA = 1e-12
_LARGEST_REACH = 1e6


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """Settings of the sampling.

    Attributes:
        num_points: Number of points per shape. 4096 is twice the number that the benchmark draws
            from a shape, so that each epoch sees another half. All shapes then take 5 GB (12 GB
            with 10,000 points).
        seed: Seed. The points of a shape are a pure function of the seed, its name and its mesh.
    """

    num_points: int = 4096
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: ``num_points`` is less than 1, or ``seed`` is negative.
        """
        if self.num_points < 1 or self.seed < 0:
            raise InputError(
                f"--num-points {self.num_points} must be 1 or more, --seed {self.seed} 0 or more"
            )


def sample_shape(mesh: ObjMesh, shape_id: str, num_points: int, rng: np.random.Generator) -> Shape:
    """Sample points on a mesh, uniformly by area.

    Args:
        mesh: The mesh.
        shape_id: Id of the shape.
        num_points: Number of points.
        rng: Source of randomness.

    Raises:
        InputError: The mesh has no area, or corners very far from the origin.
    """
    corners = mesh.vertices[mesh.triangles]
    reach = float(np.abs(corners).max())
    if reach > _LARGEST_REACH:
        raise InputError(f"it reaches {reach:.3g} units from the origin")
    edges = corners[:, 1:] - corners[:, :1]
    area = float(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2)
    if area < _SMALLEST_AREA:
        raise InputError("its faces have no area")
    cloud = sample_surface(
        mesh.vertices,
        mesh.triangles,
        None,
        density=2 * num_points / area,  # twice the need; max_points decides
        max_points=num_points,
        rng=rng,
    )
    return Shape(id=shape_id, coord=cloud.points, normal=cloud.normals)


def convert_category(
    models: CategoryModels, output: Path, settings: SamplingSettings
) -> ConvertedShapeSet:
    """Convert a category, unless it is finished.

    A model whose mesh is missing, unreadable or without area is left out. The releases have some
    (ShapeNet/shapenet-viewer issue 7, Regenerator/dpf-nets issue 2).

    Args:
        models: Models of the category.
        output: Folder of the shape sets. The set is written to ``output/<synset>``, atomically.
        settings: Settings of the sampling.

    Raises:
        InputError: No model can be used, or the folder has other content.
    """
    paths = [
        models.path(model_id) or models.folder / model_id / MODEL_FILES[0]
        for model_id in models.listed
    ]
    names = "\n".join(models.listed)
    info = ShapeSetInfo(
        category=SYNSETS.index(models.synset),
        category_names=CATEGORY_NAMES,
        up_axis="y",
        source={"dataset": "ShapeNetCore", "synset": models.synset},
        settings={
            "recipe": _RECIPE,
            **asdict(settings),
            "models": hashlib.sha256(names.encode()).hexdigest(),
            "files": source_fingerprint(paths),
        },
    )
    return make_shape_set(output, models.synset, info, lambda: _sample(models, settings))


def convert_release(
    release: Path,
    output: Path,
    settings: SamplingSettings | None = None,
    workers: Workers = THIS_PROCESS,
    *,
    split_file: Path | None = None,
) -> ShapeConversion:
    """Convert all categories of a release, and write ``splits.json``.

    Args:
        release: Folder with the folders of the synsets.
        output: Folder of the shape sets.
        settings: Settings of the sampling; None is the defaults.
        workers: Worker processes.
        split_file: Split file; None is ``all.csv`` in ``release``.

    Raises:
        InputError: A setting is wrong, the split file is missing or wrong, or there is no category.
    """
    settings = settings or SamplingSettings()
    splits = read_split_file(split_file or release / SPLIT_FILE)
    root = output.absolute()
    categories = find_categories(release.absolute(), splits)
    tasks = {models.synset: (models, root, settings) for models in categories}
    num_unlisted = sum(models.num_unlisted() for models in categories)
    return convert_categories(
        convert_category,
        tasks,
        root,
        splits,
        num_unlisted,
        workers,
        num_categories=len(SYNSETS),
        notes=names_left_out(release.absolute(), categories),
    )


def _sample(models: CategoryModels, settings: SamplingSettings) -> Iterator[Shape | LeftOut]:
    for model_id in models.listed:
        path = models.path(model_id)
        name = f"{models.synset}/{model_id}"
        try:
            if path is None:
                raise InputError(f"it has neither {' nor '.join(MODEL_FILES)}")
            rng = np.random.default_rng([settings.seed, zlib.crc32(name.encode())])
            yield sample_shape(read_obj(path), model_id, settings.num_points, rng)
        except InputError as error:
            yield LeftOut(model_id, str(error).removeprefix(f"{path}: "))

"""One category of ShapeNetCore as one shape set, and all categories of a release.

A shape is points drawn on its mesh: one at random for each equal share of the area, each with the
normal of its face. Where a mesh shows the back of a face, so does its normal: ShapeNet's faces are
not wound alike. Coordinates are the release's: y up, about one unit across.
"""

from __future__ import annotations

import hashlib
import os
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
    read_split_file,
)
from downstream.releases.shapenet.obj_mesh import ObjMesh, read_obj
from downstream.shapes.conversion import ConvertedShapeSet, make_shape_set, write_finished_splits
from downstream.shapes.shape_set import Shape, ShapeSetInfo
from downstream.shapes.writer import LeftOut
from pointcontrast.errors import InputError
from pointcontrast.preparation.scene_conversion import convert_all, fingerprint
from pointcontrast.recordings.reconstruction.surface_points import sample_surface

_RECIPE = 1  # raised when the code comes to make other shapes from the same files
# of models that are about one unit across
_SMALLEST_AREA = 1e-12
_LARGEST_REACH = 1e6


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How meshes become points.

    Attributes:
        num_points: of each shape. 4096 is twice what the benchmark takes of a shape at a time, so
            that each epoch sees another half; all shapes are 5 GB then (10,000 points: 12 GB).
        seed: a shape's points are a pure function of it, the shape's name and its mesh.
    """

    num_points: int = 4096
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What became of a release.

    Attributes:
        finished: categories, those with the most shapes first.
        failures: synset -> reason.
        num_unlisted: models that the split file does not name: passed over.
    """

    finished: list[ConvertedShapeSet]
    failures: dict[str, str]
    num_unlisted: int


def sample_shape(mesh: ObjMesh, shape_id: str, num_points: int, rng: np.random.Generator) -> Shape:
    """Draw points on a mesh, uniformly by area.

    Raises:
        InputError: the mesh has no area, or corners very far from the origin.
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
        density=2 * num_points / area,  # more than enough: the limit decides
        max_points=num_points,
        rng=rng,
    )
    return Shape(id=shape_id, coord=cloud.points, normal=cloud.normals)


def convert_category(
    models: CategoryModels, output: Path, settings: SamplingSettings
) -> ConvertedShapeSet:
    """Make the shape set of one category, unless it is there already.

    A model without a mesh, or with one that cannot be read or has no area, is left out: the
    releases have some (ShapeNet/shapenet-viewer issue 7, Regenerator/dpf-nets issue 2).

    Args:
        models: the category.
        output: the set becomes ``output/<synset>``, whole or not at all.
        settings: how.

    Raises:
        InputError: no model can be used, or the folder holds something else.
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
            "files": fingerprint(paths),
        },
    )
    return make_shape_set(output, models.synset, info, lambda: _sample(models, settings))


def convert_release(
    release: Path,
    output: Path,
    settings: SamplingSettings | None = None,
    *,
    split_file: Path | None = None,
    num_workers: int | None = 1,
    scheduler: str | None = None,
    memory_limit: str = "auto",
    progress: bool = False,
) -> Conversion:
    """Make the shape sets of all categories that are there, and ``splits.json``.

    Args:
        release: the folder of the synsets' folders.
        output: folder of the shape sets.
        settings: how; None takes the defaults.
        split_file: ``all.csv``; None is the one in ``release``.
        num_workers: processes, a category at a time each; None is one a core.
        scheduler: address of a Dask scheduler to use instead.
        memory_limit: of each process.
        progress: show a progress bar.

    Raises:
        InputError: wrong settings, a split file that is missing or wrong, or no category there.
    """
    settings = settings or SamplingSettings()
    if settings.num_points < 1 or settings.seed < 0:
        raise InputError(
            f"num_points {settings.num_points} must be 1 or more, seed {settings.seed} 0 or more"
        )
    splits = read_split_file(split_file or release / SPLIT_FILE)
    root = Path(os.path.abspath(output))  # workers elsewhere have other working folders
    categories = find_categories(Path(os.path.abspath(release)), splits)
    finished, failures = convert_all(
        _convert,
        {models.synset: (models, root, settings) for models in categories},
        num_workers=num_workers,
        scheduler=scheduler,
        memory_limit=memory_limit,
        progress=progress,
        unit="category",
    )
    names = {
        split: [f"{synset}/{model_id}" for synset, model_id in shapes]
        for split, shapes in splits.items()
    }
    write_finished_splits(root, finished, names)
    num_unlisted = sum(models.num_unlisted() for models in categories)
    return Conversion(finished=finished, failures=failures, num_unlisted=num_unlisted)


def _convert(task: tuple[CategoryModels, Path, SamplingSettings]) -> ConvertedShapeSet:
    return convert_category(*task)


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

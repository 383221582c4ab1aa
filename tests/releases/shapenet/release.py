"""Write a small ShapeNetCore release of parametric shapes.

python -m tests.releases.shapenet.release data/mini_shapenet --num-shapes 20

The OBJ files vary as real ones do: with and without normals and texture coordinates, with negative
indices, with polygons, and with a material library that does not exist.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from downstream.releases.shapenet.layout import MODEL_FILES, SPLIT_FILE
from downstream.releases.shapenet.obj_mesh import ObjMesh
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import atomic_file
from pointcontrast.synthetic.solids import joined
from tests.releases.command import release_parser
from tests.releases.shapenetpart.release import SPLIT_OF, shape_id
from tests.releases.shapenetpart.shapes import parametric_shape

Version = Literal["v1", "v2"]

SHARES: dict[str, float] = {
    "04379243": 1.0,  # table
    "03001627": 0.8,  # chair
    "02691156": 0.5,  # airplane
    "02958343": 0.5,  # car
    "03636649": 0.3,  # lamp
    "03797390": 0.25,  # mug
    "04099429": 0.25,  # rocket
    "02954340": 0.25,  # cap
}
"""Synset -> size relative to the largest category. ShapeNet has a long tail as well."""

_STYLES = ("{0}", "{0}//{1}", "{0}/{0}/{1}", "{0}/{0}")
_SPLIT_WORDS = {"train": "train", "validation": "val", "test": "test"}


def shape_counts(num_shapes: int) -> dict[str, int]:
    """Return the number of shapes per category, at least 5; the largest has ``num_shapes``."""
    return {synset: max(5, round(share * num_shapes)) for synset, share in SHARES.items()}


def shape_mesh(seed: int, synset: str, number: int) -> ObjMesh:
    """Return the mesh of model ``number`` of a category, a pure function of the arguments."""
    rng = np.random.default_rng([seed, int(synset), number])
    solid = joined([part for _, part in parametric_shape(synset, rng)])
    return ObjMesh(np.round(solid.vertices, 6), solid.triangles)


def write_shapenet_release(
    output: Path,
    num_shapes: int = 20,
    seed: int = 0,
    *,
    version: Version = "v2",
    counts: Mapping[str, int] | None = None,
    progress: bool = False,
) -> None:
    """Write a release.

    Args:
        output: Folder that receives the folders of the categories and ``all.csv``.
        num_shapes: Number of shapes of the largest category. Of every five shapes, three are for
            training, one for validation and one for testing.
        seed: Seed of the release.
        version: Version whose layout is written.
        counts: Synset -> number of shapes, in place of :func:`shape_counts`.
        progress: Whether to show a progress bar.

    Raises:
        InputError: ``num_shapes`` is less than 1.
    """
    if num_shapes < 1:
        raise InputError(f"num_shapes {num_shapes} must be 1 or more")
    chosen = shape_counts(num_shapes) if counts is None else counts
    file = MODEL_FILES[0 if version == "v2" else 1]
    tasks = [(synset, number) for synset, count in chosen.items() for number in range(count)]
    lines = ["id,synsetId,subSynsetId,modelId,split"]
    for row, (synset, number) in enumerate(
        tqdm(tasks, "shapes", disable=None if progress else True)
    ):
        name = shape_id(seed, synset, number)
        with atomic_file(output / synset / name / file) as partial:
            partial.write_text(obj_text(shape_mesh(seed, synset, number), style=number), "ascii")
        word = _SPLIT_WORDS[SPLIT_OF[number % len(SPLIT_OF)]]
        lines.append(f"{row},{int(synset)},{int(synset)},{name},{word}")
    with atomic_file(output / SPLIT_FILE) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="ascii")


def obj_text(mesh: ObjMesh, style: int) -> str:
    """Format a mesh as OBJ.

    Args:
        mesh: The mesh.
        style: Number whose remainders choose the form of a corner, whether indices are negative,
            and whether two triangles that form a quadrilateral are written as one face.
    """
    back, polygons = style % 3 == 1, style % 2 == 0
    num_vertices = len(mesh.vertices)
    lines = ["# written by a generator", "mtllib absent.mtl", "o shape"]
    lines += ["v {:.6f} {:.6f} {:.6f}".format(*vertex) for vertex in mesh.vertices.tolist()]
    lines += ["vt 0.5 0.5"] * num_vertices
    lines += ["vn 0.0 1.0 0.0"] * num_vertices
    lines += ["g first", "usemtl absent", "s off"]
    corner = _STYLES[style % len(_STYLES)]
    shift = -num_vertices if back else 1
    for face in _faces(mesh.triangles, polygons=polygons):
        lines.append("f " + " ".join(corner.format(row + shift, row + shift) for row in face))
    return "\n".join(lines) + "\n"


def _faces(triangles: NDArray[np.int64], *, polygons: bool) -> list[list[int]]:
    """Return the triangles, or quadrilaterals where (a c d) follows (a b c)."""
    faces: list[list[int]] = []
    for a, b, c in triangles.tolist():
        before = faces[-1] if faces else []
        if polygons and len(before) == 3 and (before[0], before[2]) == (a, b):
            before.append(c)
        else:
            faces.append([a, b, c])
    return faces


def main() -> None:
    """Write a release as the command line says."""
    parser = release_parser(__doc__)
    parser.add_argument(
        "--num-shapes", type=int, default=20, help="number of shapes of the largest category"
    )
    parser.add_argument(
        "--version", choices=("v1", "v2"), default="v2", help="version whose layout is written"
    )
    write_shapenet_release(**vars(parser.parse_args()), progress=True)


if __name__ == "__main__":
    sys.exit(run_command(main))

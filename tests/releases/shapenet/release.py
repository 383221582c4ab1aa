"""A small ShapeNetCore release of parametric shapes: the stand-in for data that cannot be shipped.

Its OBJ files vary as real ones do: with and without normals and texture coordinates, with indices
that count back from the face, with polygons, and with a material library that is not there.

python -m tests.releases.shapenet.release data/mini_shapenet --num-shapes 20
"""

from __future__ import annotations

import argparse
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
from tests.releases.shapenetpart.parametric import parametric_shape
from tests.releases.shapenetpart.release import SPLIT_OF, shape_id

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
"""Synset -> how many shapes it has beside the largest category: a long tail, as ShapeNet has."""

_STYLES = ("{0}", "{0}//{1}", "{0}/{0}/{1}", "{0}/{0}")
_SPLIT_WORDS = {"train": "train", "validation": "val", "test": "test"}


def shape_counts(num_shapes: int) -> dict[str, int]:
    """How many shapes each category has where the largest has ``num_shapes``: 5 at least."""
    return {synset: max(5, round(share * num_shapes)) for synset, share in SHARES.items()}


def shape_mesh(seed: int, synset: str, number: int) -> ObjMesh:
    """What model ``number`` of a category shows; a pure function of the three."""
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
        output: gets the folders of the categories and ``all.csv``.
        num_shapes: of the largest category; of five, three train, one validates, one tests.
        seed: of the release.
        version: whose folders.
        counts: synset -> number of its shapes, in place of :func:`shape_counts`.
        progress: show a progress bar.

    Raises:
        InputError: no shapes are asked for.
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
    """A mesh as OBJ.

    Args:
        mesh: the mesh; two triangles that make a quadrilateral are written as one.
        style: of the faces, by its remainders: how a corner is written, whether its indices count
            back, whether there are polygons.
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
    """Triangles, or quadrilaterals where (a b c) is followed by (a c d)."""
    faces: list[list[int]] = []
    for a, b, c in triangles.tolist():
        before = faces[-1] if faces else []
        if polygons and len(before) == 3 and (before[0], before[2]) == (a, b):
            before.append(c)
        else:
            faces.append([a, b, c])
    return faces


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Write a small ShapeNetCore release of parametric shapes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("output", type=Path, help="folder of the release")
    parser.add_argument("--num-shapes", type=int, default=20, help="of the largest category")
    parser.add_argument("--version", choices=("v1", "v2"), default="v2", help="whose folders")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_shapenet_release(
        arguments.output,
        arguments.num_shapes,
        arguments.seed,
        version=arguments.version,
        progress=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))

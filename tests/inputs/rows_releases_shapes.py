"""ShapeNetPart and ShapeNet as people have them: shared names, own categories, copies."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from downstream.releases.shapenetpart.shapes import convert_release
from downstream.shapes.shape_set import ShapeSet, read_shape_set
from downstream.shapes.splits import read_splits
from tests.helpers.downstream_small import SMALL
from tests.helpers.repository import REPOSITORY
from tests.inputs.makers_releases import (
    CONVERT_SHAPENET,
    CONVERT_SHAPENETPART,
    MUG,
    SHAPES,
    TABLE,
    list_shapes,
    made_names,
    shape_lines,
    shapenet,
    shapenetpart,
)
from tests.inputs.row import FINETUNE, Row

Change = Callable[[Path], object]


def parts(change: Change) -> Callable[[Path], Sequence[object]]:
    """ShapeNetPart's layout; a function changes the folder of the mugs."""

    def make(folder: Path) -> Sequence[object]:
        change(shapenetpart(folder))
        return CONVERT_SHAPENETPART

    return make


def meshes(change: Change) -> Callable[[Path], Sequence[object]]:
    """ShapeNet's layout; a function changes the folder of the mugs."""

    def make(folder: Path) -> Sequence[object]:
        change(shapenet(folder))
        return CONVERT_SHAPENET

    return make


def mugs(folder: Path) -> ShapeSet:
    return read_shape_set(folder / "out" / MUG)


def all_shapes(folder: Path, _: str) -> None:
    """Every shape with its points and parts, each in its split."""
    assert made_names(folder) == [MUG, TABLE]
    found = mugs(folder)
    assert found.ids == SHAPES
    assert found.part is not None
    np.testing.assert_array_equal(found.part, np.tile([36, 37], 12))
    np.testing.assert_allclose(found.coord[:8, 0], np.arange(8) / 10, atol=1e-6)
    splits = read_splits(folder / "out")
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [2, 2, 2]


def others_are_made(folder: Path, said: str) -> None:
    """All shapes but the first mug, which one line names."""
    assert made_names(folder) == [MUG, TABLE]
    assert mugs(folder).ids == SHAPES[1:]
    assert len(read_shape_set(folder / "out" / TABLE)) == 3
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert errors[0].startswith(f"error: {MUG}/aaa: "), said


def rewrite(folder: Path, name: str, lines: Sequence[str]) -> None:
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


def four_columns(mug: Path) -> None:
    for synset, first in ((MUG, 36), (TABLE, 47)):
        for name in SHAPES:
            lines = [line.split() for line in shape_lines(first)]
            rewrite(mug.with_name(synset), name, [" ".join([*w[:3], w[6]]) for w in lines])


def points_and_labels(mug: Path) -> None:
    for synset, first in ((MUG, 36), (TABLE, 47)):
        folder = mug.with_name(synset)
        for name, ending in (("points", "pts"), ("points_label", "seg")):
            (folder / name).mkdir()
            for shape in SHAPES:
                words = [line.split() for line in shape_lines(first)]
                lines = [" ".join(w[:3]) if ending == "pts" else w[6] for w in words]
                if ending == "seg":
                    lines = [str(int(float(line)) - first + 1) for line in lines]
                (folder / name / f"{shape}.{ending}").write_text("\n".join(lines) + "\n")
        for shape in SHAPES:
            (folder / f"{shape}.txt").unlink()


def without_normals(folder: Path, said: str) -> None:
    all_shapes(folder, said)
    assert mugs(folder).normal is None


def own_categories(mug: Path) -> None:
    """Two categories of one's own, each with parts counted from 0."""
    (mug.parent / "synsetoffset2category.txt").write_text("Spoon cutlery_1\nFork cutlery_2\n")
    for synset, name, first in ((MUG, "cutlery_1", 0), (TABLE, "cutlery_2", 0)):
        folder = mug.with_name(synset).rename(mug.with_name(name))
        for shape in SHAPES:
            rewrite(folder, shape, shape_lines(first))
    for split, shape in zip(("train", "val", "test"), SHAPES, strict=True):
        list_shapes(mug.parents[1], split, [f"cutlery_1/{shape}", f"cutlery_2/{shape}"])


def own_parts(folder: Path, _: str) -> None:
    spoons, forks = (read_shape_set(folder / "out" / f"cutlery_{k}") for k in (1, 2))
    assert forks.category_names == ("Spoon", "Fork")
    assert forks.part_names == ("Spoon 0", "Spoon 1", "Fork 0", "Fork 1")
    assert spoons.part is not None
    assert forks.part is not None
    np.testing.assert_array_equal(spoons.part, np.tile([0, 1], 12))
    np.testing.assert_array_equal(forks.part, np.tile([2, 3], 12))


def finetune(change: Change, *options: object) -> Callable[[Path], Sequence[object]]:
    """Two steps of part segmentation on what a release converts to."""

    def make(folder: Path) -> Sequence[object]:
        change(shapenetpart(folder))
        convert_release(folder / "raw", folder / "shapes")
        return [
            FINETUNE,
            "--config", REPOSITORY / "configs" / "downstream" / "shapenetpart_small.yaml",
            "--data.benchmark.init_args.root", folder / "shapes", "--data.voxel_size", "0.1",
            *SMALL, "--model.backbone.init_args.width", "0.125", "--trainer.max_steps", "2",
            "--run_dir", folder / "run", *options,
        ]  # fmt: skip

    return make


BROKEN: dict[str, tuple[Change, str]] = {
    "empty-shape": (lambda mug: rewrite(mug, "aaa", []), "aaa.txt is empty"),
    "cut-line": (
        lambda mug: rewrite(mug, "aaa", [*shape_lines(), "0.1 0.2"]), "aaa.txt, line 9",
    ),
    "words": (lambda mug: rewrite(mug, "aaa", ["x y z nx ny nz part"]), "aaa.txt, line 1"),
    "nan": (
        lambda mug: rewrite(mug, "aaa", [line.replace("0.1", "nan") for line in shape_lines()]),
        "with finite coordinates",
    ),
    "part-of-another-category": (
        lambda mug: rewrite(mug, "aaa", shape_lines(47)), "part 47 is not one of 36..37",
    ),
    "fractional-part": (
        lambda mug: rewrite(mug, "aaa", [s.replace("36.000", "36.500") for s in shape_lines()]),
        "part 36.5 is not one of 36..37",
    ),
    "four-columns-among-seven": (
        lambda mug: rewrite(mug, "aaa", ["0 0 0 36"]), "is not `x y z nx ny nz part`",
    ),
    "absent-shape": (lambda mug: (mug / "aaa.txt").unlink(), "aaa.txt does not exist, but"),
    "binary-shape": (lambda mug: (mug / "aaa.txt").write_bytes(b"\x89PNG\0" * 30), "line 1"),
}  # fmt: skip
"""Damage of one shape of six: what is done, and what the one line says."""

ROWS = [
    *(
        Row(
            name=f"shapenetpart-{name}", kind="B" if "part" in name else "D", make=parts(change),
            status=1, says=(words,), check=others_are_made,
        )
        for name, (change, words) in BROKEN.items()
    ),
    Row(
        name="shapenetpart-names-in-two-splits", kind="D",
        make=parts(lambda mug: [
            list_shapes(mug.parents[1], "train", [f"{MUG}/aaa", f"{TABLE}/aaa", f"{MUG}/bbb"]),
            list_shapes(mug.parents[1], "test", [f"{MUG}/ccc", f"{TABLE}/ccc", f"{MUG}/aaa"]),
        ]),
        says=("two splits (1 in train and validation, 1 in train and test)", "each is in both"),
        check=lambda folder, _: _in_both(folder),
        source="charlesq34/pointnet2 part_seg/part_dataset_all_normal.py",
    ),
    Row(
        name="shapenetpart-four-columns", kind="G", make=parts(four_columns),
        says=("have no normals",), check=without_normals,
    ),
    Row(
        name="shapenetpart-points-and-labels-apart", kind="G", make=parts(points_and_labels),
        says=("have no normals",), check=without_normals,
        source="fxia22/pointnet.pytorch pointnet/dataset.py",
    ),
    Row(
        name="shapenetpart-normals-that-are-not-there", kind="G",
        make=finetune(four_columns, "--data.features", "[normal]"), status=2,
        says=("no normals",),
    ),
    Row(
        name="shapenetpart-own-categories", kind="H", make=parts(own_categories),
        says=("names other categories than the benchmark's 16", "Spoon: parts 0..1"),
        check=own_parts,
    ),
    Row(
        name="shapenetpart-own-categories-train", kind="H",
        make=finetune(own_categories, "--data.features", "[ones]"), says=("Spoon",),
        check=lambda folder, _: _best_exists(folder),
    ),
    Row(
        name="shapenetpart-own-category-named-twice", kind="H",
        make=parts(lambda mug: (mug.parent / "synsetoffset2category.txt").write_text(
            f"Mug {MUG}\nMug {TABLE}\n"
        )),
        status=2, says=("line 2", "names a category twice"), absent=("out",),
    ),
    Row(
        name="shapenetpart-copies", kind="E",
        make=parts(lambda mug: [
            shutil.copy(mug / "aaa.txt", mug / name)
            for name in ("aaa (copy).txt", "aaa - Copy.txt", "aaa.txt~", ".DS_Store", "Thumbs.db")
        ]),
        says=(
            f"left out: {MUG}/aaa (copy).txt", f"left out: {MUG}/aaa - Copy.txt",
            f"left out: {MUG}/aaa.txt~", "left out: 2 files of the operating system",
        ),
        check=all_shapes,
    ),
    Row(
        name="shapenetpart-copied-category", kind="E",
        make=parts(lambda mug: shutil.copytree(mug, mug.with_name(f"{MUG} (copy)"))),
        says=(f"left out: {MUG} (copy)",), check=all_shapes,
    ),
    Row(
        name="shapenetpart-names-in-upper-case", kind="E",
        make=parts(lambda mug: [
            path.rename(path.with_suffix(".TXT")) for path in sorted(mug.iterdir())
        ]),
        check=all_shapes,
    ),
    Row(
        name="shapenet-copies", kind="E",
        make=meshes(lambda mug: [
            shutil.copytree(mug / "aaa", mug / "aaa (copy)"), (mug / ".DS_Store").touch(),
            shutil.copytree(mug, mug.with_name(f"{MUG} - Copy")),
        ]),
        says=(f"left out: {MUG}/aaa (copy)", f"left out: {MUG} - Copy", "3 shapes (0 left out)"),
        check=lambda folder, _: _three_mugs(folder),
    ),
    Row(
        name="shapenet-names-in-upper-case", kind="E",
        make=meshes(lambda mug: [
            path.rename(path.with_suffix(".OBJ")) for path in sorted(mug.rglob("*.obj"))
        ]),
        says=("3 shapes (0 left out)",), check=lambda folder, _: _three_mugs(folder),
    ),
    Row(
        name="shapenet-cut-mesh", kind="D",
        make=meshes(lambda mug: (mug / "aaa/models/model_normalized.obj").write_text("v 0 0")),
        says=(f"left out: {MUG}/aaa: it has no faces", "2 shapes (1 left out)"),
    ),
]  # fmt: skip


def _in_both(folder: Path) -> None:
    splits = read_splits(folder / "out")
    assert f"{MUG}/aaa" in splits["train"]
    assert f"{MUG}/aaa" in splits["test"]
    assert f"{MUG}/bbb" in splits["train"]
    assert f"{MUG}/bbb" in splits["validation"]
    assert len(mugs(folder)) == 3


def _best_exists(folder: Path) -> None:
    assert (folder / "run" / "best.safetensors").is_file()


def _three_mugs(folder: Path) -> None:
    assert made_names(folder) == [MUG]
    assert mugs(folder).ids == SHAPES

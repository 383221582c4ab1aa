"""Clouds and meshes as people have them: colours, forms of text, polygons, units, georeferences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointcontrast.pictures.point_ply import write_point_ply
from tests.inputs.makers_point_files import (
    COLORS,
    INTENSITY,
    LABELS,
    NORMALS,
    POINTS,
    RGB,
    Write,
    colors_named,
    cut,
    gltf,
    obj,
    obj_in_unit,
    obj_of_points,
    off,
    pcd,
    places,
    ply,
    ply_cloud,
    ply_mesh,
    ply_of_quads,
    ply_of_splats,
    ply_of_strips,
    ply_packed,
    text,
)
from tests.inputs.makers_points import PREPARE_ROOM, is_the_room, scan
from tests.inputs.row import Row


def _row(name: str, kind: str, file: str, write: Write, *more: object, **settings: Any) -> Row:
    """A row that prepares one file of the room; by default all its points and colours are right."""

    def make(folder: Path) -> Sequence[object]:
        write(scan(folder, file))
        return [*PREPARE_ROOM, *more]

    if not settings.get("status"):
        settings.setdefault("check", is_the_room())
    return Row(name=name, kind=kind, make=make, **settings)


def _refused(name: str, kind: str, file: str, write: Write, *says: str, **settings: Any) -> Row:
    absent = ("prepared/scan/room",)
    return _row(name, kind, file, write, status=1, says=says, absent=absent, **settings)


UTM = (452_345.0, 5_234_567.0, 412.0)
OBJ_NAME, SPREAD = "room.obj", 3

ROWS = [
    # --- J: colours
    _row("ply-of-diffuse-colours", "J", "room.ply",
         ply(places() | colors_named([f"diffuse_{c}" for c in RGB])),
         source="isl-org/Open3D issue 3100"),
    _row("ply-of-capital-colours", "J", "room.ply",
         ply(places() | colors_named(("Red", "Green", "Blue")))),
    _row("ply-of-r-g-b-in-16-bits", "J", "room.ply",
         ply(places() | colors_named("RGB", "u2", 257))),
    _row("ply-of-32-bit-integers-of-65535", "J", "room.ply",
         ply(places() | colors_named(RGB, "i4", 257))),
    _row("ply-of-floats-of-255-with-alpha", "J", "room.ply",
         ply(places() | colors_named(RGB, "f4") | {"alpha": np.full(len(POINTS), 255, "f4")})),
    _row("ply-of-gaussian-splats", "J", "room.ply", ply_of_splats,
         check=is_the_room(says=["colours are those of Gaussian splats"]),
         source="francescofugazzi/3dgsconverter issue 14"),
    _refused("ply-of-10-bit-colours", "J", "room.ply", ply(places() | colors_named(RGB, "u2", 4)),
             "room.ply: integer colours with a maximum of 1020 are neither 0..255 nor"),
    _row("ply-without-colours-says-what-it-has", "J", "room.ply",
         ply(places() | {"intensity": INTENSITY[:, 0].astype("f4")}),
         check=is_the_room(colored=False, says=["no colours; columns left out: intensity"])),
    _row("xyz-of-six-columns-of-colours", "J", "room.xyz", text(),
         check=is_the_room(says=["columns 4 to 6 are taken for colours"])),
    _row("xyz-of-six-columns-of-fractions", "J", "room.xyz",
         text(columns=[COLORS / 255], formats="{:.5f}")),
    _row("xyz-of-six-columns-of-normals", "J", "room.xyz",
         text(columns=[NORMALS], formats="{:.5f}"),
         check=is_the_room(colored=False, says=["columns 4 to 6 are taken for normals"])),
    _row("xyz-of-colours-in-16-bits", "J", "room.xyz", text(columns=[COLORS.astype(int) * 257])),
    _row("xyzrgb-of-255", "J", "room.xyzrgb", text()),
    _row("xyz-with-cloudcompares-header", "J", "room.xyz",
         text(head="//X Y Z Scalar_field R G B", columns=[INTENSITY, COLORS]),
         check=is_the_room(says=["columns left out: Scalar_field"])),
    _row("xyz-with-colours-before-places-in-the-header", "J", "room.xyz",
         text(head="x,y,z,nx,ny,nz,Red,Green,Blue", separator=",", columns=[NORMALS, COLORS])),
    _row("xyz-of-normals-and-colours", "J", "room.xyz", text(columns=[NORMALS, COLORS]),
         check=is_the_room(says=["taken for normals; columns 7 to 9 are taken for colours"])),
    _row("pts-of-intensity-and-colours", "J", "room.pts",
         text(head="{}", columns=[INTENSITY, COLORS])),
    _row("xyz-of-colours-and-a-label", "J", "room.xyz", text(columns=[COLORS, LABELS]),
         check=is_the_room(says=["columns 4 to 6 are taken for colours; column 7 left out"])),
    _row("obj-of-colours-of-255", "J", OBJ_NAME, obj("positive"), check=is_the_room(within=SPREAD)),
    _row("obj-of-colours-of-1", "J", OBJ_NAME, obj("positive", scale=1 / 255),
         check=is_the_room(within=SPREAD)),
    _row("pcd-of-packed-floats", "J", "room.pcd", pcd("F4")),
    _row("pcd-of-packed-opaque-colours", "J", "room.pcd", pcd("U4", alpha=255)),
    _row("pcd-of-packed-opaque-floats", "J", "room.pcd", pcd("F4", alpha=255)),
    _row("pcd-of-packed-integers-as-text", "J", "room.pcd", pcd("U4", "ascii")),
    _row("pcd-of-packed-floats-as-text", "J", "room.pcd", pcd("F4", "ascii")),
    # --- N: forms
    _row("obj-of-quads", "N", OBJ_NAME, obj("positive", colored=False),
         check=is_the_room(colored=False)),
    _row("obj-of-negative-rows", "N", OBJ_NAME, obj("negative", colored=False),
         check=is_the_room(colored=False)),
    _row("obj-with-a-texture", "N", OBJ_NAME,
         obj("positive", colored=False, before="mtllib room.mtl\nusemtl paint"),
         check=is_the_room(colored=False, says=["textures are not read"])),
    _row("obj-of-points-alone", "N", OBJ_NAME, obj_of_points),
    _row("ply-of-quads", "N", "room.ply", ply_of_quads(False), check=is_the_room(within=SPREAD)),
    _row("ply-of-quads-as-text", "N", "room.ply",
         ply_of_quads(True), check=is_the_room(within=SPREAD)),
    _row("ply-of-triangle-strips", "N", "room.ply",
         ply_of_strips, check=is_the_room(colored=False)),
    _row("ply-packed-by-gzip", "N", "room.ply.gz", ply_packed,
         check=lambda folder, said: is_the_room()(_renamed(folder), said)),
    _row("off-of-quads-in-colour", "N", "room.off", off, check=is_the_room(within=SPREAD)),
    _row("off-with-counts-in-its-first-line", "N", "room.off", lambda path: off(path, "COFF"),
         check=is_the_room(within=SPREAD), source="ModelNet40"),
    _row("gltf-of-nested-nodes", "N", "room.gltf", gltf(),
         check=is_the_room(within=SPREAD, up=(2, 0, 1))),
    _row("gltf-with-textures", "N", "room.gltf", gltf(textured=True),
         check=is_the_room(colored=False, up=(2, 0, 1),
         says=["textures are not read: 2 of its 2"])),
    _row("xyz-with-commas", "N", "room.xyz", text(",")),
    _row("xyz-with-semicolons-and-decimal-commas", "N", "room.xyz", text(";", decimal=",")),
    _row("xyz-with-decimal-commas", "N", "room.xyz", text(" ", decimal=",")),
    _row("xyz-with-tabs-and-windows-line-ends", "N", "room.xyz", text("\t", end="\r\n")),
    _row("xyz-with-a-byte-order-mark", "N", "room.xyz", text(encoding="utf-8-sig")),
    _row("xyz-in-utf-16", "N", "room.xyz", text(encoding="utf-16")),
    _row("xyz-with-its-number-of-points", "N", "room.xyz", text(head="{}\nscanned in spring")),
    _row("pts-without-its-number-of-points", "N", "room.pts", text(columns=[INTENSITY, COLORS])),
    _row("pcd-of-doubles", "N", "room.pcd", pcd("U4", places="<f8")),
    _row("pcd-compressed", "N", "room.pcd", pcd("U4", "binary_compressed")),
    _refused("pcd-compressed-and-cut", "N", "room.pcd", cut(pcd("U4", "binary_compressed"), 0.6),
             "room.pcd is damaged or cut short (its header promises"),
    _refused("xyz-of-words", "N", "room.xyz", lambda path: path.write_text("C one two\nH 1 2\n"),
             "room.xyz holds no points: no row starts with three numbers"),
    _refused("pts-cut-short", "N", "room.pts", cut(text(head="{}"), 0.7),
             "room.pts is damaged or cut short (its header promises"),
    # --- D: points without depth
    _row("pcd-organised-with-holes", "D", "room.pcd", pcd("F4", holes=len(POINTS)),
         check=is_the_room(says=[f"{len(POINTS):,} of {2 * len(POINTS):,} points without finite"])),
    # --- A: places
    _row("ply-cloud-in-utm", "A", "room.ply", ply_cloud(UTM), check=is_the_room(place=UTM)),
    _row("ply-mesh-in-utm", "A", "room.ply", ply_mesh(UTM),
         check=is_the_room(place=UTM, within=SPREAD)),
    # --- B and I: units
    _refused("obj-in-centimetres", "I", OBJ_NAME, obj_in_unit(0.01),
             "room.obj is 300 x 240 x 220 m in size", "--unit 0.01 (centimetres)"),
    _refused("ply-in-millimetres", "I", "room.ply", ply_cloud(unit=0.001),
             "room.ply is 3e+03 x 2.4e+03 x", "--unit 0.001 (millimetres)"),
    _refused("obj-in-inches", "B", OBJ_NAME, obj_in_unit(0.0254), "--unit 0.0254 (inches)"),
    _row("obj-in-centimetres-stated", "B", OBJ_NAME, obj_in_unit(0.01), "--unit", "0.01",
         check=is_the_room(colored=False)),
    _row("ply-in-millimetres-stated", "B", "room.ply", ply_cloud(unit=0.001), "--unit", "0.001"),
    _refused("ply-with-a-stray-point", "I", "room.ply",
             lambda path: write_point_ply(path, np.vstack([POINTS, [0, 0, 90_000]]),
                                          np.vstack([COLORS, [0, 0, 0]]).astype(np.uint8)),
             "99 % of its points are within 3 m: remove the stray points"),
    _row("scan-with-an-option-of-cameras", "I", "room.ply", ply_cloud(), "--depth-scale", "5000",
         status=1, says=("--depth-scale does not apply",), absent=("prepared/scan/room",)),
]  # fmt: skip


def _renamed(folder: Path) -> Path:
    """The folder, with the scene of ``room.ply.gz`` under the name of the others."""
    found = next((folder / "prepared" / "scan").iterdir())
    found.rename(found.with_name("room"))
    return folder

"""Pictures and PLY files read back, and the conditions for a window."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData

from pointcontrast.errors import InputError
from pointcontrast.pictures import drawing
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.drawing import draw
from tests.helpers.small_clouds import AHEAD, BLUE, RED, cloud


def test_png_holds_the_panels_side_by_side_under_their_captions(tmp_path: Path) -> None:
    clouds = [cloud([[0, 0, 2]], RED, "left one"), cloud([[0, 0, 2]], BLUE, "right one")]
    path = tmp_path / "new" / "picture.png"
    written = draw(
        clouds, cameras=[AHEAD] * 2, png=path, window="never", size=(100, 80), point_radius=0.3
    )
    assert written == [path]
    image = np.asarray(Image.open(path))
    assert image.shape[1] == 200 + drawing.GAP
    header = image.shape[0] - 80
    assert header > 0
    np.testing.assert_array_equal(image[header + 40, 50], RED)
    np.testing.assert_array_equal(image[header + 40, 100 + drawing.GAP + 50], BLUE)
    for half in (image[:header, :100], image[:header, 100 + drawing.GAP :]):
        assert half.min() < 100  # the caption
    first = path.read_bytes()
    draw(clouds, cameras=[AHEAD] * 2, png=path, window="never", size=(100, 80), point_radius=0.3)
    assert path.read_bytes() == first


def test_columns_break_the_panels_into_rows(tmp_path: Path) -> None:
    clouds = [cloud([[0, 0, 2]], (10 * i, 0, 0)) for i in range(3)]
    path = tmp_path / "grid.png"
    draw(clouds, cameras=[AHEAD] * 3, png=path, columns=2, size=(50, 40), point_radius=0.3)
    image = np.asarray(Image.open(path))
    assert image.shape == (80 + drawing.GAP, 100 + drawing.GAP, 3)
    np.testing.assert_array_equal(image[40 + drawing.GAP + 20, 25], (20, 0, 0))


def test_several_clouds_go_to_a_ply_each(tmp_path: Path) -> None:
    clouds = [cloud([[0, 0, 2]], RED, caption) for caption in ("View 1: colour", "same", "same")]
    written = draw(clouds, cameras=[AHEAD] * 3, ply=tmp_path / "f.ply", window="never")
    assert [path.name for path in written] == ["f_view_1_colour.ply", "f_1.ply", "f_2.ply"]
    assert all(len(PlyData.read(str(path))["vertex"].data) == 1 for path in written)


def test_a_failed_write_leaves_the_old_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def half_a_picture(self: Image.Image, file: Path, **_: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", half_a_picture)
    with pytest.raises(OSError, match="No space"):
        draw([cloud([[0, 0, 2]], RED)], cameras=[AHEAD], png=path, size=(20, 20))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_bad_input_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(drawing.sys, "platform", "linux")
    one, png = cloud([[0, 0, 2]], RED, "one"), tmp_path / "x.png"
    empty = cloud([], RED, "nothing")
    with pytest.raises(InputError, match="'nothing' is empty"):
        draw([one, empty], cameras=[AHEAD] * 2, png=png)
    with pytest.raises(InputError, match="NaN"):
        draw([cloud([[0, np.nan, 2]], RED)], cameras=[AHEAD], png=png)
    with pytest.raises(InputError, match=r"\(N, 3\)"):
        draw([ColoredPoints(one.points, one.colors[:0])], cameras=[AHEAD], png=png)
    with pytest.raises(InputError, match="0 clouds"):
        draw([], cameras=[], png=png)
    with pytest.raises(InputError, match="--size"):
        draw([one], cameras=[AHEAD], png=png, size=(0, 100))
    with pytest.raises(InputError, match="no display"):
        draw([one], cameras=[AHEAD], png=png, window="always")
    with pytest.raises(InputError, match="without a window"):
        draw([one], cameras=[AHEAD])
    assert not png.exists()


@pytest.mark.parametrize(
    ("window", "with_png", "opens"),
    [("auto", False, True), ("auto", True, False), ("always", True, True), ("never", True, False)],
)
def test_a_window_opens_where_it_is_wanted(
    window: drawing.Window,
    with_png: bool,
    opens: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[object] = []
    monkeypatch.setattr(drawing, "has_display", lambda: True)
    monkeypatch.setattr(drawing, "_show_window", lambda *arguments: shown.append(arguments))
    png = tmp_path / "x.png" if with_png else None
    draw([cloud([[0, 0, 2]], RED)], cameras=[AHEAD], png=png, window=window, size=(20, 20))
    assert bool(shown) == opens


def test_a_display_that_does_not_answer_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-987")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert not drawing.has_display()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "wayland-987"))
        assert drawing.has_display()

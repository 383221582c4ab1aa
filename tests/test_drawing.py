"""The software renderer against closed forms; pictures and PLY files read back."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData

from pointcontrast import drawing
from pointcontrast.drawing import Camera, ColoredPoints, draw, look_at, look_from_behind, render
from pointcontrast.errors import InputError

RED, BLUE = (250, 10, 20), (10, 20, 250)
WHITE = np.array([255, 255, 255])
UP = np.array([0.0, 0.0, 1.0])
AHEAD = Camera(np.eye(4), focal=1.0)  # at the origin, looks along z, 53 degrees high


def cloud(points: list, colors: list | tuple, caption: str = "") -> ColoredPoints:
    points_array = np.array(points, dtype=np.float32).reshape(-1, 3)
    colors_array = np.broadcast_to(np.array(colors, dtype=np.uint8), points_array.shape)
    return ColoredPoints(points_array, colors_array, caption)


def room(rng: np.random.Generator, num_points: int = 4000) -> ColoredPoints:
    """Points on the faces of a 4 x 2 x 1 m box away from the origin."""
    points = rng.uniform(size=(num_points, 3))
    axis = rng.integers(3, size=num_points)
    points[np.arange(num_points), axis] = rng.integers(2, size=num_points)
    points = points * [4, 2, 1] + [5, -3, 2]
    colors = rng.integers(256, size=(num_points, 3)).astype(np.uint8)
    return ColoredPoints(points.astype(np.float32), colors, "room")


def drawn_centre(image: np.ndarray) -> np.ndarray:
    """(column, row) of the middle of what is not white, at pixel corners' coordinates."""
    rows, columns = np.nonzero((image != 255).any(axis=-1))
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def project_slowly(point: np.ndarray, camera: Camera, size: tuple[int, int]) -> np.ndarray:
    x, y, z, _ = np.linalg.inv(camera.world_from_camera) @ [*point, 1.0]
    assert z > 0
    return np.array([size[0] / 2, size[1] / 2]) + camera.focal * size[1] * np.array([x, y]) / z


def test_a_point_straight_ahead_is_the_centre_pixel_in_its_colour() -> None:
    image = render(cloud([[0, 0, 2]], RED), AHEAD, (41, 31), point_radius=0.2)
    np.testing.assert_array_equal(image[15, 20], RED)
    np.testing.assert_array_equal(image[0, 0], WHITE)


@pytest.mark.parametrize("radius_in_pixels", [3.0, 6.0, 10.0])
def test_a_disc_has_the_area_of_a_circle(radius_in_pixels: float) -> None:
    depth, height = 2.0, 101
    point_radius = radius_in_pixels * depth / height
    image = render(cloud([[0, 0, depth]], (0, 0, 0)), AHEAD, (101, height), point_radius)
    covered = (255 - image[..., 0].astype(float)).sum() / 255
    assert covered == pytest.approx(np.pi * radius_in_pixels**2, rel=0.1)


def test_a_disc_shrinks_with_distance() -> None:
    near = render(cloud([[0, 0, 1]], RED), AHEAD, (101, 101), point_radius=0.08)
    far = render(cloud([[0, 0, 2]], RED), AHEAD, (101, 101), point_radius=0.08)
    ratio = (near != 255).any(axis=-1).sum() / (far != 255).any(axis=-1).sum()
    assert ratio == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_nearer_point_wins_in_any_order(order: list[int]) -> None:
    points, colors = np.array([[0, 0, 2.0], [0, 0, 3.0]]), np.array([RED, BLUE])
    image = render(cloud(points[order].tolist(), colors[order].tolist()), AHEAD, (41, 31), 0.1)
    np.testing.assert_array_equal(image[15, 20], RED)


def test_overlapping_discs_of_one_depth_meet_halfway() -> None:
    points = cloud([[-0.1, 0, 2], [0.1, 0, 2]], [RED, BLUE])
    image = render(points, AHEAD, (100, 100), point_radius=0.2)
    np.testing.assert_array_equal(image[50, 48], RED)
    np.testing.assert_array_equal(image[50, 52], BLUE)


def test_points_fall_where_the_pinhole_model_says() -> None:
    rng = np.random.default_rng(0)
    target = room(rng)
    camera = look_at(target.points, UP, azimuth=25, elevation=35)
    for point in target.points[:20]:
        image = render(cloud([point], RED), camera, (320, 240), point_radius=0.03)
        expected = project_slowly(point, camera, (320, 240))
        np.testing.assert_allclose(drawn_centre(image), expected, atol=0.6)


def test_a_camera_that_moves_right_moves_the_picture_left() -> None:
    moved = np.eye(4)
    moved[0, 3] = 0.5
    image = render(cloud([[0, 0, 2]], RED), Camera(moved, focal=1.0), (200, 100), 0.05)
    np.testing.assert_allclose(drawn_centre(image), [100 - 0.5 / 2 * 100, 50], atol=0.6)


def test_points_behind_beside_or_on_the_edge_are_harmless() -> None:
    stray = [[0, 0, -2], [0, 0, 0], [50, 0, 1], [0, -50, 1], [0.5, 0.5, 1], [0, 0, 0.051]]
    image = render(cloud(stray[:4], RED), AHEAD, (40, 40), point_radius=5.0)
    assert (image == 255).all()
    edges = [[s * 0.49, t * 0.49, 1] for s in (-1, 1) for t in (-1, 1)] + stray
    image = render(cloud(edges, RED), AHEAD, (40, 40), point_radius=5.0)
    np.testing.assert_array_equal(image[[0, 0, -1, -1], [0, -1, 0, -1]], [RED] * 4)


def test_what_stands_before_a_wall_darkens_the_wall_around_it_only() -> None:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 200), np.linspace(-1, 1, 200)), -1)
    wall = np.concatenate([grid, np.full((200, 200, 1), 2.0)], axis=-1).reshape(-1, 3)
    both = np.concatenate([wall, [[0, 0, 1.5]]])
    image = render(cloud(both.tolist(), (200, 200, 200)), AHEAD, (200, 200), point_radius=0.05)
    assert image[100, 100, 0] == 200  # the thing itself
    assert image[20:40, 20:40].min() == 200  # the flat wall far from it
    assert image[100, 100:120, 0].min() < 150  # its rim


def test_the_same_cloud_gives_the_same_bytes_in_any_row_order() -> None:
    rng = np.random.default_rng(1)
    target = room(rng)
    camera = look_at(target.points, UP)
    image = render(target, camera, (160, 120), 0.03)
    np.testing.assert_array_equal(image, render(target, camera, (160, 120), 0.03))
    shuffled = target[rng.permutation(len(target.points))]
    np.testing.assert_array_equal(image, render(shuffled, camera, (160, 120), 0.03))


@pytest.mark.parametrize("elevation", [-90, 0, 40, 90])
@pytest.mark.parametrize("azimuth", [0, 70, 200])
def test_look_at_sees_the_whole_cloud_upright_and_large(azimuth: float, elevation: float) -> None:
    points = room(np.random.default_rng(2)).points
    camera = look_at(points, 3 * UP, azimuth, elevation, aspect=2.0)
    pixels = np.array([project_slowly(point, camera, (200, 100)) for point in points[:500]])
    inside = ((pixels >= 0) & (pixels <= [200, 100])).all(axis=1)
    assert inside.mean() > 0.97
    extent = np.ptp(pixels[inside], axis=0) / [200, 100]
    assert extent.max() > 0.85
    rotation = camera.world_from_camera[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert rotation[:, 0] @ UP == pytest.approx(0, abs=1e-12)  # the horizon is level
    assert -rotation[:, 1] @ UP == pytest.approx(np.cos(np.radians(elevation)), abs=1e-9)
    assert rotation[:, 2] @ UP == pytest.approx(-np.sin(np.radians(elevation)))


def test_look_at_looks_along_the_shorter_side_by_default() -> None:
    camera = look_at(room(np.random.default_rng(2)).points, UP, elevation=0)
    assert abs(camera.world_from_camera[1, 2]) > 0.99  # the box is 4 m along x, 2 m along y


def test_look_from_behind_is_upright_and_sees_all_from_near_the_old_place() -> None:
    pixels = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 20), np.linspace(-0.4, 0.4, 20)), -1)
    depths = np.random.default_rng(3).uniform(1, 3, size=(400, 1))
    local = np.concatenate([pixels.reshape(-1, 2), np.ones((400, 1))], axis=1) * depths
    roll = np.radians(15)
    pose = np.eye(4)  # at (1, 2, 1.5), looks along +y of a world with z up, rolled
    pose[:3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    pose[:3, :3] @= [
        [np.cos(roll), -np.sin(roll), 0],
        [np.sin(roll), np.cos(roll), 0],
        [0, 0, 1],
    ]
    pose[:3, 3] = [1, 2, 1.5]
    points = local @ pose[:3, :3].T + pose[:3, 3]
    camera = look_from_behind(pose, points, UP)
    assert np.linalg.norm(camera.world_from_camera[:3, 3] - pose[:3, 3]) < 1.0
    assert camera.world_from_camera[1, 3] < 2  # behind
    assert camera.world_from_camera[2, 3] > 1.5  # above
    assert camera.world_from_camera[:3, 0] @ UP == pytest.approx(0, abs=1e-12)
    seen = np.array([project_slowly(point, camera, (400, 300)) for point in points])
    assert ((seen >= 0) & (seen <= [400, 300])).all(axis=1).mean() > 0.98


def test_look_from_behind_straight_down_keeps_the_cameras_own_right() -> None:
    pose = np.diag([1.0, -1.0, -1.0, 1.0])  # looks along -z, its right is x
    points = np.array([[0, 0, -2.0], [0.5, 0.2, -2.0]])
    right = look_from_behind(pose, points, UP).world_from_camera[:3, 0]
    np.testing.assert_allclose(right, [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("side", [0.01, 0.05])
def test_point_spacing_is_the_side_of_a_grid(side: float) -> None:
    grid = np.stack(np.meshgrid(np.arange(30), np.arange(30), [0]), axis=-1).reshape(-1, 3)
    assert drawing.point_spacing(grid * side) == pytest.approx(side)
    assert drawing.point_spacing(np.zeros((3, 3))) > 0


def test_segments_are_drawn_over_the_points() -> None:
    wall = cloud([[x / 20, y / 20, 1] for x in range(-20, 21) for y in range(-20, 21)], BLUE)
    line = np.array([[[-0.3, 0, 2], [0.3, 0, 2]], [[0, 0, 2], [0, 0, -2]]], dtype=np.float32)
    colors = np.array([RED, (0, 255, 0)], dtype=np.uint8)
    with_line = ColoredPoints(wall.points, wall.colors, "", line, colors)
    image = render(with_line, AHEAD, (100, 100), point_radius=0.1)
    np.testing.assert_array_equal(image[50, 50], RED)
    np.testing.assert_array_equal(image[50, 80], BLUE)  # 0.3 / 2 * 100 = 15 pixels each side
    assert not (image == [0, 255, 0]).all(axis=-1).any()  # behind the camera: left out


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
        assert half.min() < 100  # there is writing
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


def test_ply_reads_back_points_colours_and_segments(tmp_path: Path) -> None:
    target = room(np.random.default_rng(4), 50)
    ends = np.random.default_rng(5).normal(size=(3, 2, 3)).astype(np.float32)
    colors = np.array([RED, BLUE, RED], dtype=np.uint8)
    path = tmp_path / "cloud.ply"
    drawing.write_ply(path, ColoredPoints(target.points, target.colors, "", ends, colors))
    ply = PlyData.read(str(path))
    vertices = ply["vertex"].data
    points = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    np.testing.assert_array_equal(points[:50], target.points)
    rgb = np.stack([vertices[name] for name in ("red", "green", "blue")], axis=1)
    np.testing.assert_array_equal(rgb[:50], target.colors)
    edges = ply["edge"].data
    np.testing.assert_array_equal(points[edges["vertex1"]], ends[:, 0])
    np.testing.assert_array_equal(points[edges["vertex2"]], ends[:, 1])
    np.testing.assert_array_equal(edges["blue"], colors[:, 2])


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
    with pytest.raises(InputError, match="cloud is empty"):
        look_at(empty.points, UP)
    with pytest.raises(InputError, match="cloud is empty"):
        look_from_behind(np.eye(4), empty.points, UP)
    with pytest.raises(InputError, match="not a direction"):
        look_at(one.points, np.zeros(3))
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
    with pytest.raises(InputError, match="no window"):
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

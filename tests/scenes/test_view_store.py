import errno
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.scenes.view_store_writer import SceneSource, write_view_store
from pointcontrast.scenes.views import SkippedFrame, thin
from pointcontrast.types import PointCloud, Sweep
from tests.helpers.edited_meta import edit_meta
from tests.helpers.small_scenes import LOW, look, walk

SOURCE = SceneSource("test", "nowhere")


def _views(count=4, storage="depth"):
    """Views of a room, from its frames or as sweeps (without depth images)."""
    views = [to_view(frame) for frame in walk(count)]
    return views if storage == "depth" else [replace(v, cloud=v.cloud[:]) for v in views]


def _write(path, views, up=None, **options):
    return write_view_store(path, views, replace(SOURCE, up=up), **options)


@pytest.fixture(params=["depth", "points"])
def storage(request):
    return request.param


@pytest.fixture
def path(tmp_path, storage):
    _write(tmp_path / "scene", _views(), storage=storage)
    return tmp_path / "scene"


def test_depth_images_come_back_without_loss(tmp_path):
    _write(tmp_path / "scene", _views())
    store = ViewStore(tmp_path / "scene")
    assert len(store) == 4
    for found, view in zip(store, _views(), strict=True):
        expected = view.cloud[:]
        np.testing.assert_array_equal(found.points, expected.points)
        np.testing.assert_array_equal(found.normals, expected.normals)
        # colours go through JPEG: flat walls stay, their borders blur
        difference = np.abs(found.colors.astype(int) - expected.colors)
        assert (difference <= 3).mean() > 0.9
    np.testing.assert_array_equal(store[-1].points, store[3].points)
    with pytest.raises(IndexError):
        store[4]


def test_points_come_back_thinned_to_half_a_millimetre(tmp_path):
    _write(tmp_path / "scene", _views(), storage="points")
    store = ViewStore(tmp_path / "scene")
    assert store.meta.content["scales"] == [0.001] * 4
    for found, view in zip(store, _views(), strict=True):
        cloud = thin(view.cloud, 0.0125)
        assert found.points.dtype == found.normals.dtype == np.float32
        np.testing.assert_allclose(found.points, cloud.points, atol=5.1e-4)
        np.testing.assert_array_equal(found.colors, cloud.colors)
        lengths = np.linalg.norm(found.normals, axis=1)
        known = np.any(cloud.normals != 0, axis=1)
        np.testing.assert_allclose(lengths[known], 1, atol=1e-6)
        assert not lengths[~known].any()
        assert (found.normals * cloud.normals).sum(axis=1)[known].min() > 0.9998
    np.testing.assert_array_equal(store[-1].points, store[3].points)
    with pytest.raises(IndexError):
        store[4]


def test_colours_and_normals_are_left_out_where_they_are_not_wanted(path):
    store = ViewStore(path)
    rows = np.arange(0, 300, 7)
    plain = store.read(1, colors=False, normals=False)[rows]
    assert plain.colors is None
    assert plain.normals is None
    np.testing.assert_array_equal(plain.points, store[1].points[rows])
    full = store.read(1)[rows]
    np.testing.assert_array_equal(full.colors, store[1].colors[rows])
    np.testing.assert_array_equal(full.normals, store[1].normals[rows])


def test_the_meta_tells_the_scene(tmp_path):
    skipped = SkippedFrame("frame-9", "x.png is cut short")
    views = _views()
    _write(tmp_path / "s", [*views[:2], skipped, *views[2:]], settings={"a": [1]})
    meta = ViewStore(tmp_path / "s").meta
    assert meta.frame_ids == tuple(view.frame_id for view in views)
    assert meta.skipped == (skipped,)
    assert meta.settings == {"a": [1]}
    np.testing.assert_allclose(meta.poses, [view.world_from_camera for view in views])
    np.testing.assert_allclose(meta.up, [0, 0, 1], atol=0.01)
    assert meta.floor_height == pytest.approx(LOW[2], abs=0.01)
    assert meta.num_points == tuple(len(view.cloud) for view in views)
    assert meta.storage == "depth"


def test_up_may_be_given(tmp_path):
    meta = _write(tmp_path / "s", _views(), up=[0, 0, -2])
    assert meta.up.tolist() == [0, 0, -1]
    assert meta.up_how == "given"
    assert meta.up_support > 0.1
    highest = max(view.cloud.points[:, 2].max() for view in _views())
    assert meta.floor_height == pytest.approx(-highest, abs=0.1)


def test_a_wide_sweep_gets_a_coarser_scale_and_a_far_one_does_not(tmp_path):
    near, wide, far = _views(3, "points")
    wide = replace(wide, cloud=PointCloud(wide.cloud.points * np.float32(40)))
    clouds = [PointCloud(near.cloud.points), wide.cloud, PointCloud(far.cloud.points + 2000)]
    views = [replace(near, frame_id=str(i), cloud=cloud) for i, cloud in enumerate(clouds)]
    meta = _write(tmp_path / "s", views, storage_grid=0)
    scales = meta.content["scales"]
    assert scales[0] == scales[2] == 0.001
    assert 0.001 < scales[1] < 0.004
    for found, cloud, scale in zip(ViewStore(tmp_path / "s"), clouds, scales, strict=True):
        np.testing.assert_allclose(found.points, cloud.points, atol=scale / 2 + 2e-4)


def test_sweeps_are_points_whatever_is_asked_and_do_not_mix_with_frames(tmp_path):
    sweep = to_view(Sweep("s", PointCloud(np.eye(3, dtype=np.float32)), look(0.0)))
    meta = _write(tmp_path / "s", [sweep], up=[0, 0, 1])
    assert (meta.storage, meta.sensor, meta.camera_pose(0)) == ("points", "lidar", None)
    frames = _write(tmp_path / "frames", _views(1))
    assert frames.sensor == "camera"
    np.testing.assert_array_equal(frames.camera_pose(0), _views(1)[0].world_from_camera)
    with pytest.raises(InputError, match="s: the scene has depth images and sweeps"):
        _write(tmp_path / "mixed", [*_views(1), sweep])


def test_a_scene_of_no_view_is_an_error_with_the_first_reason(tmp_path):
    with pytest.raises(InputError, match=r"none of the 1 frames.*x\.png is cut short"):
        _write(tmp_path / "s", [SkippedFrame("f", "x.png is cut short")])
    assert list(tmp_path.iterdir()) == []


def test_views_with_and_without_colour_do_not_mix(tmp_path):
    frames = walk(2)
    views = [to_view(frames[0]), to_view(replace(frames[1], frame_id="g", color=None))]
    for storage in ("depth", "points"):
        with pytest.raises(InputError, match="g: some frames"):
            _write(tmp_path / "s", views, storage=storage)


def test_a_store_of_points_only(tmp_path):
    views = [replace(v, cloud=PointCloud(v.cloud.points)) for v in _views(2, "points")]
    meta = _write(tmp_path / "s", views)
    store = ViewStore(tmp_path / "s")
    assert store[0].colors is None
    assert store[0].normals is None
    assert meta.up_how == "mean sensor up"
    assert sorted(file.name for file in (tmp_path / "s").iterdir()) == [
        "meta.json",
        "offsets.npy",
        "points.npy",
    ]


def test_pickling_carries_the_path_only(path):
    store = ViewStore(path)
    data = pickle.dumps(store)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data)[1].points, store[1].points)


def test_the_same_views_give_the_same_bytes(tmp_path, path, storage):
    _write(tmp_path / "again", _views(), storage=storage)
    for file in path.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def _truncate(path):
    os.truncate(path, path.stat().st_size - 7)


def _edit_meta(**changes):
    return lambda store: edit_meta(store, **changes)


DAMAGE = {
    "an edited meta": (
        lambda s: (s / "meta.json").write_text(
            (s / "meta.json").read_text().replace('"up_how"', '"how"').replace("0", "1", 1)
        ),
        r"meta\.json.* was edited",
    ),
    "no meta": (lambda s: (s / "meta.json").unlink(), r"meta\.json"),
    "half a meta": (lambda s: _truncate(s / "meta.json"), r"meta\.json"),
    "a list for a meta": (lambda s: (s / "meta.json").write_text("[]"), r"meta\.json"),
    "another version": (_edit_meta(format_version=99), "version 99"),
    "a meta without poses": (_edit_meta(poses=None), r"meta\.json"),
    "another storage": (_edit_meta(storage="clay"), "'clay'"),
    "no content": (_edit_meta(content={}), "incomplete"),
    "a view too many": (_edit_meta(frame_ids=["a"] * 5), r"meta\.json"),
    "counts of too few views": (_edit_meta(num_points=[1, 2, 3]), r"meta\.json"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_store_is_an_error_that_names_the_file_and_the_fix(path, kind):
    spoil, reason = DAMAGE[kind]
    spoil(path)
    with pytest.raises(InputError, match=f"{reason}.*run prepare_pairs again"):
        ViewStore(path)


DAMAGE_OF_A_FILE = {
    "points": {
        "other counts": (_edit_meta(num_points=[1, 2, 3, 4]), r"offsets\.npy"),
        "cut short": (lambda s: _truncate(s / "points.npy"), r"points\.npy is damaged"),
        "missing": (lambda s: (s / "points.npy").unlink(), r"points\.npy is missing"),
        "normals missing": (lambda s: (s / "normals.npy").unlink(), r"normals\.npy is missing"),
        "colours cut": (lambda s: _truncate(s / "colors.npy"), r"colors\.npy is damaged"),
        "a header overwritten": (
            lambda s: (s / "points.npy").open("r+b").write(b"\0" * 20),
            "incomplete or damaged",
        ),
    },
    "depth": {
        "cut short": (lambda s: _truncate(s / "depth.bin"), r"depth\.bin is damaged"),
        "missing": (lambda s: (s / "depth.bin").unlink(), r"depth\.bin is missing"),
        "colours cut": (lambda s: _truncate(s / "colors.bin"), r"colors\.bin is damaged"),
    },
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_damaged_files_are_named(tmp_path, storage):
    for number, (spoil, reason) in enumerate(DAMAGE_OF_A_FILE[storage].values()):
        store = tmp_path / str(number)
        _write(store, _views(), storage=storage)
        spoil(store)
        with pytest.raises(InputError, match=f"{reason}.*run prepare_pairs again"):
            ViewStore(store)


@pytest.mark.parametrize("name", ["depth.bin", "colors.bin"])
def test_a_damaged_image_names_file_and_view(tmp_path, name):
    _write(tmp_path / "s", _views())
    file = tmp_path / "s" / name
    store = ViewStore(tmp_path / "s")
    lengths = [length for length, _ in store.meta.content[file.stem]]
    data = bytearray(file.read_bytes())
    data[lengths[0] + lengths[1] // 2] ^= 16
    file.write_bytes(data)
    store = ViewStore(tmp_path / "s")
    assert len(store[0]) == len(store[3]) == 160 * 120
    with pytest.raises(InputError, match=rf"{name}: view 1 is damaged.*run prepare_pairs again"):
        store[1]


def test_verify_finds_a_flipped_bit(path, storage):
    ViewStore(path).verify()
    name = {"depth": "depth.bin", "points": "points.npy"}[storage]
    data = bytearray((path / name).read_bytes())
    data[-5] ^= 1
    (path / name).write_bytes(data)
    store = ViewStore(path)  # opening does not read the points
    with pytest.raises(InputError, match=f"{name} is damaged"):
        store.verify()


def test_a_full_disk_leaves_the_old_store(path, monkeypatch):
    before = {file.name: file.read_bytes() for file in path.iterdir()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        _write(path, _views(2))
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    assert [each.name for each in path.parent.iterdir()] == ["scene"]

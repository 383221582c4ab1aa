import errno
import json
import os
import pickle

import numpy as np
import pytest
from small_scenes import LOW, walk

from pointcontrast.errors import InputError
from pointcontrast.types import PointCloud
from pointcontrast.view_store import ViewStore, write_view_store
from pointcontrast.views import SkippedFrame, View, frame_to_view

SOURCE = {"layout": "test", "folder": "nowhere"}


def _views(count=4):
    return [
        View(frame.frame_id, frame.world_from_camera, frame_to_view(frame)) for frame in walk(count)
    ]


def _write(path, views, **options):
    return write_view_store(path, views, source=SOURCE, storage_grid=0.0125, **options)


@pytest.fixture
def path(tmp_path):
    _write(tmp_path / "scene", _views())
    return tmp_path / "scene"


def test_views_come_back_to_half_a_millimetre(path):
    store = ViewStore(path)
    assert len(store) == 4
    assert store.meta.scale == 0.001
    for found, view in zip(store, _views(), strict=True):
        assert found.points.dtype == found.normals.dtype == np.float32
        np.testing.assert_allclose(found.points, view.cloud.points, atol=5.1e-4)
        np.testing.assert_array_equal(found.colors, view.cloud.colors)
        lengths = np.linalg.norm(found.normals, axis=1)
        known = np.any(view.cloud.normals != 0, axis=1)
        np.testing.assert_allclose(lengths[known], 1, atol=1e-6)
        assert not lengths[~known].any()
        assert (found.normals * view.cloud.normals).sum(axis=1)[known].min() > 0.9998
    np.testing.assert_array_equal(store[-1].points, store[3].points)
    with pytest.raises(IndexError):
        store[4]


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


def test_up_may_be_given(tmp_path):
    meta = _write(tmp_path / "s", _views(), up=[0, 0, -2])
    assert meta.up.tolist() == [0, 0, -1]
    assert meta.up_how == "given"
    assert meta.up_support > 0.1
    highest = max(view.cloud.points[:, 2].max() for view in _views())
    assert meta.floor_height == pytest.approx(-highest, abs=0.1)


def test_a_large_scene_gets_a_coarser_scale(tmp_path):
    view = _views(1)[0]
    far = PointCloud(view.cloud.points + np.float32(150), view.cloud.colors, view.cloud.normals)
    views = [view, View("far", view.world_from_camera, far)]
    meta = _write(tmp_path / "s", views)
    assert 0.001 < meta.scale < 0.004
    found = ViewStore(tmp_path / "s")[1].points
    np.testing.assert_allclose(found, far.points, atol=meta.scale / 2 + 2e-5)


def test_a_scene_that_cannot_fit_names_the_frame_far_off(tmp_path):
    views = _views(4)
    lost = PointCloud(
        views[2].cloud.points + np.float32(3000), views[2].cloud.colors, views[2].cloud.normals
    )
    views[2] = View("frame-lost", views[2].world_from_camera, lost)
    with pytest.raises(InputError, match="frame-lost"):
        _write(tmp_path / "s", views)
    assert list(tmp_path.iterdir()) == []


def test_a_scene_of_no_view_is_an_error_with_the_first_reason(tmp_path):
    with pytest.raises(InputError, match=r"none of the 1 frames.*x\.png is cut short"):
        _write(tmp_path / "s", [SkippedFrame("f", "x.png is cut short")])
    assert list(tmp_path.iterdir()) == []


def test_views_with_and_without_colour_do_not_mix(tmp_path):
    views = _views(2)
    views[1] = View("g", np.eye(4), PointCloud(views[1].cloud.points))
    with pytest.raises(InputError, match="g: some frames"):
        _write(tmp_path / "s", views)


def test_a_store_of_points_only(tmp_path):
    views = [View(v.frame_id, v.world_from_camera, PointCloud(v.cloud.points)) for v in _views(2)]
    meta = _write(tmp_path / "s", views)
    store = ViewStore(tmp_path / "s")
    assert store[0].colors is None
    assert store[0].normals is None
    assert meta.up_how == "mean camera up"
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


def test_the_same_views_give_the_same_bytes(tmp_path, path):
    _write(tmp_path / "again", _views())
    for file in path.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def _truncate(path):
    os.truncate(path, path.stat().st_size - 7)


def _edit_meta(**changes):
    def spoil(store):
        meta = json.loads((store / "meta.json").read_text())
        (store / "meta.json").write_text(json.dumps(meta | changes))

    return spoil


DAMAGE = {
    "no meta": (lambda s: (s / "meta.json").unlink(), r"meta\.json"),
    "half a meta": (lambda s: _truncate(s / "meta.json"), r"meta\.json"),
    "a list for a meta": (lambda s: (s / "meta.json").write_text("[]"), r"meta\.json"),
    "another version": (_edit_meta(format_version=99), "version 99"),
    "a meta without poses": (_edit_meta(poses=None), r"meta\.json"),
    "a view too many": (_edit_meta(frame_ids=["a"] * 5), r"offsets\.npy"),
    "other counts": (_edit_meta(num_points=[1, 2, 3, 4]), r"offsets\.npy"),
    "points cut short": (lambda s: _truncate(s / "points.npy"), r"points\.npy is damaged"),
    "points missing": (lambda s: (s / "points.npy").unlink(), r"points\.npy is missing"),
    "normals missing": (lambda s: (s / "normals.npy").unlink(), r"normals\.npy is missing"),
    "colours cut short": (lambda s: _truncate(s / "colors.npy"), r"colors\.npy is damaged"),
    "a header overwritten": (
        lambda s: (s / "points.npy").open("r+b").write(b"\0" * 20),
        r"points\.npy is missing or damaged",
    ),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_store_is_an_error_that_names_the_file_and_the_fix(path, kind):
    spoil, reason = DAMAGE[kind]
    spoil(path)
    with pytest.raises(InputError, match=f"{reason}.*run prepare_pairs again"):
        ViewStore(path)


def test_verify_finds_a_flipped_bit(path):
    ViewStore(path).verify()
    data = bytearray((path / "points.npy").read_bytes())
    data[-5] ^= 1
    (path / "points.npy").write_bytes(data)
    store = ViewStore(path)  # opening does not read the points
    with pytest.raises(InputError, match=r"points\.npy is damaged"):
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

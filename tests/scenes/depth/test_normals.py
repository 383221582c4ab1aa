import numpy as np

from pointcontrast.scenes.depth.normals import depth_normals
from tests.helpers.small_scenes import look, render


def test_normals_are_unit_or_zero_and_face_the_camera():
    rng = np.random.default_rng(0)
    depth = rng.choice([0, 1.0, 1.01, 1.02, 3.0], size=(60, 80)).astype(np.float32)
    frame = render(look(0.4))
    normals = depth_normals(depth, frame.intrinsics).reshape(60, 80, 3)
    lengths = np.linalg.norm(normals, axis=-1)
    known = lengths > 0
    assert np.isfinite(normals).all()
    np.testing.assert_allclose(lengths[known], 1, atol=1e-5)
    assert not known[depth == 0].any()
    assert 0 < known.sum() < known.size
    only_one = np.zeros((60, 80), np.float32)
    only_one[30, 40] = 2
    assert not depth_normals(only_one, frame.intrinsics).any()


def test_normals_face_the_camera_and_do_not_blend_across_an_edge():
    intrinsics = render(look(0)).intrinsics
    depth = np.full((60, 80), 3.0, np.float32)
    depth[:, 40:] = 1.0
    normals = depth_normals(depth, intrinsics).reshape(60, 80, 3)
    known = np.any(normals != 0, axis=-1)
    assert known.mean() > 0.95
    np.testing.assert_allclose(normals[known], np.tile([0, 0, -1.0], (known.sum(), 1)), atol=1e-3)


def test_chosen_pixels_have_the_normals_of_the_whole_image_in_any_unit():
    frame = render(look(0.4))
    whole = depth_normals(frame.depth, frame.intrinsics)
    pixels = np.random.default_rng(0).permutation(len(whole))[:500]
    chosen = depth_normals(frame.depth * 1000, frame.intrinsics, pixels)
    np.testing.assert_allclose(chosen, whole[pixels], atol=1e-4)

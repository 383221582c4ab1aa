"""Intrinsics in every form of file, and of images of another size."""

import json

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import pixel_rays
from pointcontrast.recordings.rgbd.images.intrinsics import scaled_intrinsics
from pointcontrast.recordings.rgbd.images.intrinsics_file import read_intrinsics

K = np.array([[585.0, 0.0, 320.5], [0.0, 586.0, 240.25], [0.0, 0.0, 1.0]])
FOUR = np.eye(4)
FOUR[:3, :3] = K
ROWS = "585 0 320.5\n0 586 240.25\n0 0 1\n"
CENTER = {"cx": 320.5, "cy": 240.25}
NAMED = {"fx": 585, "fy": 586, **CENTER}
FORMS = {
    "matrix": ROWS.encode(),
    "one line": ROWS.replace("\n", " ").encode(),
    "four numbers": b"585 586 320.5 240.25",
    "four by four": "\n".join(" ".join(map(str, row)) for row in FOUR).encode(),
    "four by four on one line": " ".join(map(str, FOUR.ravel())).encode(),
    "by columns": " ".join(map(str, K.T.ravel())).encode(),
    "commas": ROWS.replace(" ", ", ").encode(),
    "semicolons": ROWS.replace(" ", ";").encode(),
    "printed by NumPy": str(K).encode(),
    "a list": str(K.tolist()).encode(),
    "comment": b"# fx 0 cx\n" + ROWS.encode(),
    "Windows": ROWS.replace("\n", "\r\n").encode(),
    "UTF-8 with a mark": ROWS.encode("utf-8-sig"),
    "UTF-16": ROWS.encode("utf-16"),
    "JSON": json.dumps(NAMED).encode(),
    "JSON of nerfstudio": json.dumps(
        {"fl_x": 585, "fl_y": 586, "cx": 320.5, "cy": 240.25}
    ).encode(),
    "JSON of RealSense": json.dumps({"fx": 585, "fy": 586, "ppx": 320.5, "ppy": 240.25}).encode(),
    "JSON of Open3D": json.dumps({"intrinsic_matrix": K.T.ravel().tolist()}).encode(),
    "JSON of rows": json.dumps({"K": K.tolist()}).encode(),
    "JSON, nested": json.dumps({"camera": NAMED}).encode(),
    "JSON, a mark": json.dumps({"intrinsic": FOUR.tolist()}).encode("utf-8-sig"),
}


@pytest.mark.parametrize(
    ("form", "name"),
    [(form, "K.txt") for form in FORMS]
    + [(form, "camera.json") for form in FORMS if form.startswith("JSON")],
)
def test_every_form_gives_the_matrix(tmp_path, form, name):
    path = tmp_path / name
    path.write_bytes(FORMS[form])
    intrinsics = read_intrinsics(path)
    np.testing.assert_array_equal(intrinsics.matrix, K)
    assert intrinsics.size is None
    assert intrinsics.units_per_metre is None


def test_json_may_state_size_and_depth_unit(tmp_path):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps({"camera": {**NAMED, "w": 640, "h": 480, "scale": 6553.5}}))
    intrinsics = read_intrinsics(path)
    assert (intrinsics.size, intrinsics.units_per_metre) == ((640, 480), 6553.5)
    path.write_text(json.dumps({**NAMED, "width": 640, "height": 480, "depth_scale": 5000}))
    intrinsics = read_intrinsics(path)
    assert (intrinsics.size, intrinsics.units_per_metre) == ((640, 480), 5000)


BAD = {
    "words": (b"fx fy cx cy", "is not a 3 x 3"),
    "a projection matrix": (b"585 0 320 7 0 585 240 0 0 0 1 0", "holds 12 numbers"),
    "a pose in it": (b"585 0 320 7 0 585 240 0 0 0 1 0 0 0 0 1", "without the pose"),
    "negative": (b"-585 585 320 240", "pinhole"),
    "NaN": (b"nan 585 320 240", "pinhole"),
    "bytes": (bytes(range(128, 256)), "not text in UTF-8"),
    "broken JSON": (b'{"fx": 585', "not valid JSON"),
    "other JSON": (b'{"frames": []}', "holds no intrinsics"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_named(tmp_path, kind):
    content, reason = BAD[kind]
    (tmp_path / "K.txt").write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_intrinsics(tmp_path / "K.txt")
    assert str(tmp_path / "K.txt") in str(caught.value)


def test_scaled_intrinsics_see_the_same_rays():
    small = scaled_intrinsics(K, (640, 480), (320, 240), "K")
    # The corners of both images see the same directions: pixel -0.5 and pixel size - 0.5.
    for corner in ((-0.5, -0.5), (1.0, 1.0)):
        full = [side * (corner[i] > 0) - 0.5 for i, side in enumerate((640, 480))]
        half = [side * (corner[i] > 0) - 0.5 for i, side in enumerate((320, 240))]
        np.testing.assert_allclose(
            np.linalg.inv(K) @ [*full, 1], np.linalg.inv(small) @ [*half, 1], atol=1e-12
        )
    # A small pixel looks at the mean of its four large ones.
    rays = pixel_rays(480, 640, K).reshape(240, 2, 320, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(pixel_rays(240, 320, small), rays, atol=1e-12)
    assert scaled_intrinsics(K, (640, 480), (640, 480), "K") is K
    with pytest.raises(InputError, match=r"K.txt: its intrinsics belong to images of 400 x 300"):
        scaled_intrinsics(K, (400, 300), (640, 400), "K.txt")

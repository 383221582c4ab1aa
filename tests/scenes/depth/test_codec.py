import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pointcontrast.compiled import depth as depth_kernels
from pointcontrast.scenes.depth.codec import decode_depth, encode_depth


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def arithmetic(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr("pointcontrast.scenes.depth.codec.load_depth_kernels", lambda: None)
    elif depth_kernels.load_depth_kernels() is None:
        pytest.fail("the kernels were not built")


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.uint16,
        st.tuples(st.integers(1, 9), st.integers(1, 40)),
        elements=st.sampled_from([0, 1, 2, 800, 801, 1200, 32767, 32768, 65534, 65535]),
    )
)
def test_every_image_comes_back(depth):
    encoded = encode_depth(depth)
    assert encoded == encode_depth(depth)
    np.testing.assert_array_equal(decode_depth(encoded, depth.shape), depth)


def test_real_depth_takes_a_fiftieth_of_float64_points(real_data):
    for name in ("redkitchen/frame-000100.depth.png", "redkitchen/frame-000500.depth.png"):
        depth = np.array(Image.open(real_data / name)).astype(np.uint16)
        depth[depth == 65535] = 0
        encoded = encode_depth(depth)
        np.testing.assert_array_equal(decode_depth(encoded, depth.shape), depth)
        assert len(encoded) < 24 * np.count_nonzero(depth) / 50


def test_damage_is_a_value_error():
    depth = np.arange(1200, dtype=np.uint16).reshape(30, 40)
    encoded = encode_depth(depth)
    for data, shape in (
        (encoded[:-9], depth.shape),
        (b"", depth.shape),
        (b"\0" * 50, depth.shape),
        (encoded, (30, 41)),
        (encoded, (30, 39)),
    ):
        with pytest.raises(ValueError, match=r"."):
            decode_depth(data, shape)

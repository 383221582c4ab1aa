"""Frames of a video by their number: in any order, with frames that depend on later ones."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.rgbd.images.video_frames import VideoFrames

_COUNT = 300


def _write(path: Path, codec: str, options: dict[str, str]) -> Path:
    """Write frames that show their number, at uneven times as phones write them."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.integers(50, 160, _COUNT))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=60)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = options
        stream.codec_context.time_base = Fraction(1, 6000)
        for number, time in enumerate(times.tolist()):
            image = np.full((48, 64, 3), number % 256, np.uint8)
            image[:, :32] = 255 * (number // 256)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 6000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


_X265 = "log-level=none:keyint=40:bframes=3"
CODECS = {
    "H.264": ("libx264", {"preset": "fast", "g": "40", "bf": "3"}),
    "HEVC": ("libx265", {"preset": "ultrafast", "x265-params": _X265}),
}


@pytest.mark.parametrize("codec", CODECS)
def test_frames_in_any_order_are_those_in_order(codec, tmp_path):
    path = _write(tmp_path / "video.mp4", *CODECS[codec])
    in_order = VideoFrames(path)
    frames = [in_order.read(number) for number in range(_COUNT)]
    for number, frame in enumerate(frames):
        assert abs(int(frame[24, 50, 0]) - number % 256) <= 4
        assert (frame[24, 10, 0] > 128) == (number > 255)
    video = VideoFrames(path)
    assert video.size == (64, 48)
    for number in (0, 250, 251, 20, 299, 120, 121, 5, 298, 299, 0):
        np.testing.assert_array_equal(video.read(number), frames[number])
    with pytest.raises(InputError, match="has 300 frames; frame 300 is needed"):
        video.read(300)


def test_a_frame_far_behind_is_decoded_from_the_key_frame_before_it(tmp_path, monkeypatch):
    path = _write(tmp_path / "video.mp4", *CODECS["H.264"])
    video = VideoFrames(path)
    monkeypatch.setattr(video, "_restart", lambda: pytest.fail("decoded in order"))
    video.read(290)

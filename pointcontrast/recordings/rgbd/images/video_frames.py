"""Frames of a video by their number, decoded by PyAV.

Most frames of a video are stored as differences from others, so they are decoded one after
another from a key frame on. Asking for frames in ascending order decodes each once. For a frame
before the last one, or far behind it, decoding starts at the key frame before it: all packets are
listed once, so that a frame is known by its time, not by a guess from the frame rate (phones write
uneven times).

PyAV does not turn frames by the rotation that a phone writes into the file, so that they have the
sides of the sensor, as depth images have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.optional_packages import require
from pointcontrast.recordings.sequence import FrameError

_FAR = 90  # frames: decoding up to here is not slower than listing and seeking


class VideoFrames:
    """A video file, of which one decoder at a time is open. It can be pickled.

    Attributes:
        path: The file.
        size: (width, height) of its frames, pixels.
    """

    def __init__(self, path: Path) -> None:
        """Open a video; only its header is read.

        Args:
            path: Video file that FFmpeg can read.

        Raises:
            InputError: PyAV is not installed, or the file is no video or damaged.
        """
        self.path = path
        self._frames: Iterator[Any] = iter(())
        self._next = 0
        self._container: Any = None
        self._times: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self._end: tuple[int, str] | None = None  # the first frame that cannot be read, and why
        try:
            self._restart()
        except FrameError as error:
            raise InputError(str(error)) from None
        context = self._container.streams.video[0].codec_context
        self.size = (int(context.width), int(context.height))
        if min(self.size) < 1:
            raise InputError(f"{path} is damaged: it states no size of its frames; copy it again")

    def read(self, number: int) -> NDArray[np.uint8]:
        """Decode one frame; it is fast for the next ones after the last that was read.

        Args:
            number: Number of the frame, from 0.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            FrameError: The video ends before it, or is damaged.
        """
        if self._end is not None and number >= self._end[0]:
            raise FrameError(f"{self._end[1]}; frame {number} is needed")
        if self._container is None or number < self._next:
            self._restart()
        frame = self._sought(number) if number > self._next + _FAR else None
        while self._next <= number:
            try:
                frame = next(self._frames, None)
                problem = f"{self.path} has {self._next} frames"
            except _errors() as error:
                frame = None
                problem = (
                    f"{self.path} is damaged from frame {self._next} on ({_reason(error)}): copy "
                    "it again, or write it anew (ffmpeg -i OLD NEW.mp4)"
                )
            if frame is None:  # remembered: finding it again would take as long for every frame
                self._end = (self._next, problem)
                self._close()
                raise FrameError(f"{problem}; frame {number} is needed")
            self._next += 1
        assert frame is not None
        if frame.is_corrupt or (frame.width, frame.height) != self.size:
            raise FrameError(f"{self.path} is damaged: frame {number} cannot be decoded in full")
        return np.ascontiguousarray(frame.to_ndarray(format="rgb24"))

    def __getstate__(self) -> dict[str, Any]:
        # A decoder cannot be sent to another process; it opens its own.
        return {"path": self.path, "size": self.size, "_end": self._end}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _frames=iter(()), _next=0, _container=None, _times=None)

    def _sought(self, number: int) -> Any:
        """Decode a frame from the key frame before it; None if it must be decoded in order."""
        times, keys = self._listed_times()
        if number >= len(times):
            return None
        key = keys[np.searchsorted(keys, times[number], side="right") - 1]
        if key > times[number] or np.searchsorted(times, key) <= self._next:
            return None
        stream = self._container.streams.video[0]
        try:
            self._container.seek(int(key), stream=stream, backward=True)
            self._frames = iter(self._container.decode(stream))
            for frame in self._frames:
                if frame.pts == times[number]:
                    self._next = number + 1
                    return frame
                if frame.pts is None or frame.pts > times[number]:
                    break
        except _errors():
            pass
        self._restart()  # decoding in order finds out what is wrong
        return None

    def _listed_times(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the times of all frames and of the key frames; none if they are not certain."""
        if self._times is None:
            none = np.empty(0, np.int64)
            self._times = none, none
            try:
                packets = _packets(self.path)
            except _errors():
                return self._times
            known = [(pts, is_key) for pts, is_key in packets if pts is not None]
            if len(known) == len(packets):
                times = np.array(sorted(pts for pts, _ in known), np.int64)
                keys = np.array(sorted(pts for pts, is_key in known if is_key), np.int64)
                if len(keys) and (np.diff(times) > 0).all() and keys[0] == times[0]:
                    self._times = times, keys
        return self._times

    def _restart(self) -> None:
        av = _library(self.path)
        self._close()
        if not self.path.is_file():
            raise FrameError(f"{self.path} does not exist")
        try:
            container = av.open(str(self.path))
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ValueError("its codec is unknown")
        except (*_errors(), IndexError) as error:
            raise FrameError(
                f"{self.path} is not a video, or damaged or cut short ({_reason(error)}); copy it "
                "again"
            ) from None
        stream.codec_context.options = {"err_detect": "explode"}  # do not fill in what is damaged
        self._container = container
        self._frames = iter(container.decode(stream))
        self._next = 0

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container, self._frames, self._next = None, iter(()), 0


def _packets(path: Path) -> list[tuple[int | None, bool]]:
    """Return the time of each frame, in the order of the file, and whether it is a key frame."""
    with _library(path).open(str(path)) as container:
        packets = container.demux(container.streams.video[0])
        return [(p.pts, p.is_keyframe) for p in packets if p.size and not p.is_discard]


def _library(path: Path) -> Any:
    return require("av", "av", str(path))


def _errors() -> tuple[type[Exception], ...]:
    """What PyAV raises: FFmpeg's errors, and those of its own checks."""
    library = require("av.error", "av", "the video")
    return library.FFmpegError, OSError, ValueError, EOFError


def _reason(error: Exception) -> str:
    if isinstance(error, IndexError):
        return "it holds no video"
    return getattr(error, "strerror", None) or " ".join(str(error).split())

"""Depth images in OpenEXR files, as Blender and other renderers write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.optional_packages import require
from pointcontrast.recordings.sequence import FrameError

# OpenEXR, "Standard channel names": Z is depth, Y luminance. Blender's channels end in ".V" (a
# value) or ".Z"; where one value was written as a colour, R, G and B are equal.
_DEPTH_CHANNELS = ("Z", "DEPTH", "V", "Y", "R")


def exr_size(path: Path) -> tuple[int, int]:
    """Return (width, height); only the header is read.

    Raises:
        FrameError: Absent, unreadable or not an OpenEXR file.
        InputError: OpenEXR is not installed.
    """
    low, high = _file(path, header_only=True).header()["dataWindow"]
    return int(high[0] - low[0] + 1), int(high[1] - low[1] + 1)


def read_exr(path: Path) -> NDArray[Any]:
    """Read the depth channel: the only one, or Z, depth, V, Y, or R if all colours are equal.

    Returns:
        (H, W) float16, float32 or uint32, as stored.

    Raises:
        FrameError: Absent, unreadable, damaged, or without a channel that is depth.
        InputError: OpenEXR is not installed.
    """
    file = _file(path)
    try:
        channels = {name: channel.pixels for name, channel in file.channels().items()}
    except Exception as error:
        raise FrameError(f"{path} is damaged or cut short ({error})") from None
    if len(channels) == 1:
        return next(iter(channels.values()))
    by_name = {name.rpartition(".")[2].upper(): pixels for name, pixels in channels.items()}
    for name in _DEPTH_CHANNELS:
        if name in by_name and (name != "R" or _is_grey(by_name)):
            return by_name[name]
    raise FrameError(
        f"{path} has the channels {', '.join(channels)}, of which none is depth; write the depth "
        "as the channel Z"
    )


def _is_grey(channels: dict[str, NDArray[Any]]) -> bool:
    others = [channels[name] for name in ("G", "B") if name in channels]
    return all(np.array_equal(channels["R"], other, equal_nan=True) for other in others)


def _file(path: Path, header_only: bool = False) -> Any:
    open_exr = require("OpenEXR", "OpenEXR>=3.3", str(path))
    if not path.exists():
        raise FrameError(f"{path} does not exist")
    try:
        return open_exr.File(str(path), separate_channels=True, header_only=header_only)
    except Exception as error:  # OpenEXR raises RuntimeError and others
        raise FrameError(f"{path} is not an OpenEXR file or is cut short ({error})") from None

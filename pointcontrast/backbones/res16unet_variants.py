"""Variants of the SR-UNet: number of blocks and channels of each stage.

Source: chrischoy/SpatioTemporalSegmentation (commit 4afee29) ``models/res16unet.py``.
"""

from __future__ import annotations

from typing import Literal

_LAYERS = {
    "14": (1, 1, 1, 1, 1, 1, 1, 1),
    "18": (2, 2, 2, 2, 2, 2, 2, 2),
    "34": (2, 3, 4, 6, 2, 2, 2, 2),
    "50": (2, 3, 4, 6, 2, 2, 2, 2),
    "101": (2, 3, 4, 23, 2, 2, 2, 2),
}
_DECODER_PLANES = {
    "14": {
        "": (256, 256, 256, 256),
        "A": (128, 128, 96, 96),
        "B": (128, 128, 128, 128),
        "C": (192, 192, 128, 128),
        "D": (384, 384, 384, 384),
    },
    "18": {
        "": (256, 256, 256, 256),
        "A": (128, 128, 96, 96),
        "B": (128, 128, 128, 128),
        "D": (384, 384, 384, 384),
    },
    "34": {
        "": (256, 256, 256, 256),
        "A": (256, 128, 64, 64),
        "B": (256, 128, 64, 32),
        "C": (256, 128, 96, 96),
    },
    "50": {"": (256, 256, 256, 256)},
    "101": {"": (256, 256, 256, 256)},
}
_ENCODER_PLANES = (32, 64, 128, 256)

VariantName = Literal[
    "14", "14A", "14B", "14C", "14D", "18", "18A", "18B", "18D", "34", "34A", "34B", "34C",
    "50", "101",
]  # fmt: skip

VARIANTS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    depth + letter: (_LAYERS[depth], _ENCODER_PLANES + decoder)
    for depth, tables in _DECODER_PLANES.items()
    for letter, decoder in tables.items()
}
"""(residual blocks, channels) of the eight stages, by variant."""

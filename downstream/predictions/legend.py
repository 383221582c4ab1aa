"""A legend of class colours below a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from downstream.predictions.class_colors import palette_of

_FONT = 24
_ROW = 40
_SQUARE = 20
_MARGIN = 16
_GAP = 32


def with_legend(
    path: Path, classes: NDArray[np.integer], class_names: Sequence[str]
) -> Image.Image:
    """Read a picture, and add rows below it that name the colours of some classes.

    Args:
        path: Picture.
        classes: Classes to name, rows of ``class_names``; negative ones are left out.
        class_names: Names of all classes, which determine the colours.
    """
    picture = Image.open(path).convert("RGB")
    font = ImageFont.load_default(_FONT)
    places, left, row = [], _MARGIN, 0
    for number in map(int, classes[classes >= 0]):
        name = " ".join(class_names[number].split())
        width = _SQUARE + 8 + round(font.getlength(name))
        if left > _MARGIN and left + width > picture.width:
            left, row = _MARGIN, row + 1
        places.append((number, name, left, picture.height + row * _ROW + _ROW // 2))
        left += width + _GAP
    height = picture.height + (row + 1) * _ROW * bool(places)
    sheet = Image.new("RGB", (picture.width, height), (255, 255, 255))
    sheet.paste(picture)
    pen, palette = ImageDraw.Draw(sheet), palette_of(class_names)
    for number, name, left, middle in places:
        square = (left, middle - _SQUARE // 2, left + _SQUARE, middle + _SQUARE // 2)
        pen.rectangle(square, fill=tuple(palette[number].tolist()), outline=(60, 60, 60))
        pen.text((left + _SQUARE + 8, middle), name, fill=(40, 40, 40), font=font, anchor="lm")
    return sheet

"""LZF, the compression of ``binary_compressed`` PCD files (Marc Lehmann's liblzf)."""

from __future__ import annotations


def decompress(packed: bytes, size: int) -> bytes:
    """Decompress LZF.

    A control byte below 32 precedes that many bytes plus one, as they are. Another holds in its
    upper three bits the length of a repetition minus 2 (7: the next byte is added), and in its
    lower five bits, with the byte after it, how far back the repeated bytes begin, minus 1.

    Args:
        packed: Compressed bytes.
        size: Number of decompressed bytes.

    Raises:
        ValueError: ``packed`` is damaged.
    """
    out = bytearray()
    at, end = 0, len(packed)
    try:
        while at < end:
            control = packed[at]
            at += 1
            if control < 32:
                out += packed[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += packed[at]
                at += 1
            length += 2
            start = len(out) - ((control & 31) << 8) - packed[at] - 1
            at += 1
            if start < 0:
                raise ValueError("its compressed data point before their beginning")
            repeated = out[start : start + length]
            if len(repeated) < length:  # it overlaps what it makes
                repeated = (repeated * (length // len(repeated) + 1))[:length]
            out += repeated
    except IndexError:
        raise ValueError("its compressed data end too early") from None
    if len(out) != size:
        raise ValueError(f"its compressed data hold {len(out)} bytes, not the {size} it states")
    return bytes(out)

"""Reads the PNGs that grim and QEMU write: eight bits a channel, not interlaced."""

import struct
import zlib

from portalvm.picture import Picture
from portalvm.wait import Failure

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}  # true colour, without and with alpha


def _chunks(data):
    """The chunks by type, those of the same type joined; each has the checksum that it says."""
    found, at = {}, len(_SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8:at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if checksum != zlib.crc32(kind + content):
            raise Failure(f"a {kind} of the PNG is damaged")
        found[kind] = found.get(kind, b"") + content
        at += 12 + length
    return found


def _paeth(left, above, corner):
    estimate = left + above - corner
    return min((left, above, corner), key=lambda value: abs(estimate - value))


# What a filter of the PNG specification (9.2) adds to a byte.
_FILTERS = [
    lambda left, above, corner: 0,
    lambda left, above, corner: left,
    lambda left, above, corner: above,
    lambda left, above, corner: (left + above) // 2,
    _paeth,
]


def _rows(data, stride, channels):
    before = bytearray(stride)
    for start in range(0, len(data), stride + 1):
        predict = _FILTERS[data[start]]
        row = bytearray(data[start + 1:start + 1 + stride])
        for i in range(stride):
            left, corner = (row[i - channels], before[i - channels]) if i >= channels else (0, 0)
            row[i] = (row[i] + predict(left, before[i], corner)) & 255
        yield row
        before = row


def read(path):
    """The pixels of a PNG."""
    with open(path, "rb") as file:
        data = file.read()
    if not data.startswith(_SIGNATURE):
        raise Failure(f"{path} is no PNG")
    chunks = _chunks(data)
    width, height, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or kind not in _CHANNELS or interlaced or b"IEND" not in chunks:
        raise Failure(f"{path} is not a whole PNG of the kind that is read here")
    channels = _CHANNELS[kind]
    pixels = bytearray()
    for row in _rows(zlib.decompress(chunks[b"IDAT"]), width * channels, channels):
        if channels == 4:
            del row[3::4]
        pixels += row
    if len(pixels) != width * height * 3:
        raise Failure(f"{path} lacks rows")
    return Picture(width, height, bytes(pixels))

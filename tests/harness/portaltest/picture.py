"""Pictures: the binary PPM that grim writes, comparison pixel by pixel, and PNG for people."""

import os
import struct
import zlib


class Picture:
    """Packed RGB pixels, three bytes each, rows from the top."""

    def __init__(self, width, height, pixels):
        assert len(pixels) == width * height * 3
        self.width = width
        self.height = height
        self.pixels = pixels

    @classmethod
    def from_ppm(cls, data):
        """Reads a binary PPM (P6) of 8 bits a channel."""
        fields, at = [], 0
        while len(fields) < 4:
            end = at
            while data[end : end + 1] not in (b" ", b"\n", b"\t", b"\r"):
                end += 1
            fields.append(data[at:end])
            at = end + 1
        magic, width, height, depth = fields
        assert magic == b"P6" and depth == b"255", fields
        return cls(int(width), int(height), data[at:])

    def pixel(self, x, y):
        at = (y * self.width + x) * 3
        red, green, blue = self.pixels[at : at + 3]
        return red << 16 | green << 8 | blue

    def row(self, y, x=0, width=None):
        start = (y * self.width + x) * 3
        return self.pixels[start : start + (self.width - x if width is None else width) * 3]

    def crop(self, x, y, width, height):
        rows = [self.row(j, x, width) for j in range(y, y + height)]
        return Picture(width, height, b"".join(rows))

    def find(self, colour):
        """The top left pixel of exactly this colour, as (x, y), or None."""
        wanted = bytes((colour >> 16 & 255, colour >> 8 & 255, colour & 255))
        at = self.pixels.find(wanted)
        while at >= 0 and at % 3:
            at = self.pixels.find(wanted, at + 1)
        return None if at < 0 else (at // 3 % self.width, at // 3 // self.width)

    def count(self, colour):
        """How many pixels have exactly this colour."""
        wanted = bytes((colour >> 16 & 255, colour >> 8 & 255, colour & 255))
        count, at = 0, self.pixels.find(wanted)
        while at >= 0:
            count += at % 3 == 0
            at = self.pixels.find(wanted, at + (3 if at % 3 == 0 else 1))
        return count

    def colours(self):
        """How many different colours there are."""
        view = memoryview(self.pixels)
        return len({bytes(view[i : i + 3]) for i in range(0, len(view), 3)})

    def bounds(self, other):
        """The box (x, y, width, height) of the pixels that differ from another picture of the same
        size, or None."""
        rows = [y for y in range(self.height) if self.row(y) != other.row(y)]
        if not rows:
            return None
        left, right = self.width, 0
        for y in rows:
            mine, theirs = self.row(y), other.row(y)
            first = next(i for i in range(len(mine)) if mine[i] != theirs[i]) // 3
            last = next(i for i in reversed(range(len(mine))) if mine[i] != theirs[i]) // 3
            left, right = min(left, first), max(right, last)
        return (left, rows[0], right - left + 1, rows[-1] - rows[0] + 1)

    def difference(self, other):
        """A picture that is grey where both are the same and red where they differ."""
        out = bytearray()
        for y in range(self.height):
            mine, theirs = self.row(y), other.row(y)
            for i in range(0, len(mine), 3):
                if mine[i : i + 3] == theirs[i : i + 3]:
                    grey = 128 + (mine[i] + mine[i + 1] + mine[i + 2]) // 7
                    out += bytes((grey, grey, grey))
                else:
                    out += b"\xff\x00\x00"
        return Picture(self.width, self.height, bytes(out))

    def write_png(self, path):
        def chunk(kind, data):
            body = kind + data
            return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

        raw = b"".join(b"\0" + self.row(y) for y in range(self.height))
        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n")
            header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
            file.write(chunk(b"IHDR", header))
            file.write(chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b""))


def assert_same(expected, actual, name, directory):
    """Fails with a readable message, and pictures in `directory`, when two pictures differ."""
    if expected.pixels == actual.pixels and expected.width == actual.width:
        return
    os.makedirs(directory, exist_ok=True)
    stem = f"{directory}/{name.replace(' ', '-').replace('/', '-')}"
    expected.write_png(f"{stem}-expected.png")
    actual.write_png(f"{stem}-actual.png")
    if (expected.width, expected.height) != (actual.width, actual.height):
        raise AssertionError(
            f"{name}: expected {expected.width}x{expected.height} pixels,"
            f" got {actual.width}x{actual.height}: see {stem}-*.png"
        )
    difference = expected.difference(actual)
    difference.write_png(f"{stem}-difference.png")
    x, y, width, height = expected.bounds(actual)
    raise AssertionError(
        f"{name}: {difference.count(0xFF0000)} pixels differ, within {width}x{height} at {x},{y};"
        f" the first is #{actual.pixel(x, y):06x} in place of #{expected.pixel(x, y):06x}"
        f" at {x},{y} (or the row's next): see {stem}-{{expected,actual,difference}}.png"
    )

"""Screenshots as pixels, to ask whether something is to be seen in a place."""

from .wait import Failure


class Picture:
    """An image of 24-bit pixels in rows from the top left."""

    def __init__(self, width, height, pixels):
        self.width = width
        self.height = height
        self._pixels = pixels

    @classmethod
    def from_ppm(cls, data):
        """Reads a binary PPM (P6, 255) as grim and QEMU write it."""
        fields = data.split(None, 4)
        if len(fields) != 5 or fields[0] != b"P6" or fields[3] != b"255":
            raise Failure("not a PPM of 24-bit pixels")
        width, height = int(fields[1]), int(fields[2])
        # The header ends with one byte of white space; pixels may look like white space too.
        pixels = data[len(data) - width * height * 3:]
        return cls(width, height, pixels)

    def colors(self, x, y, width, height):
        """How often each colour occurs in a rectangle, cut to the picture: {bytes: count}."""
        found = {}
        left, right = max(x, 0), min(x + width, self.width)
        for row in range(max(y, 0), min(y + height, self.height)):
            start = row * self.width * 3
            line = self._pixels[start + left * 3:start + right * 3]
            for offset in range(0, len(line), 3):
                pixel = line[offset:offset + 3]
                found[pixel] = found.get(pixel, 0) + 1
        return found

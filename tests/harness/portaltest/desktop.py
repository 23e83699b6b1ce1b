"""A running portal as its user sees it, and what its pictures are checked for."""

import os

from . import guest, programs
from .compositor import HEIGHT, WIDTH
from .control import Control

GUEST, OTHER, LOCAL, UNKNOWN = 0x2060C0, 0xC06020, 0x565C66, 0xFF00C8
BACKGROUND = 0x23262B
BORDER, POPUP_BORDER, FULLSCREEN_BORDER = 4, 2, 3
SUPER, ALT, SHIFT, CTRL, TAB = 125, 56, 42, 29, 15
KEY_F, KEY_H, KEY_J, KEY_M, KEY_Q, KEY_ENTER, KEY_F4 = 33, 35, 36, 50, 16, 28, 62
UP, LEFT, RIGHT, DOWN = 103, 105, 106, 108


class Desktop:
    """A running portal with its control socket watched."""

    def __init__(self, session, portal):
        self.session = session
        self.portal = portal
        self.control = Control(session, portal)
        self.input = portal.input
        self.counts = {}

    def start(self, command, label=None, env=None):
        name = os.path.basename(command[0])
        return guest.Native(self.session, self.portal, label).start(name, command, env)

    def show(self, feature, label=None, *arguments):
        """A test client's first picture; returns the client and its window."""
        client = self.start([programs.TEST_CLIENT, feature, *arguments], label)
        client.expect(r"ready .*")
        return client, self.control.window(lambda window: window["pid"] == client.pid)

    def window(self, client):
        return self.control.window(lambda window: window["pid"] == client.pid)

    def drag(self, start, *points):
        self.input.move(*start)
        self.input.button(True)
        for point in points:
            self.input.move(*point)
        self.input.button(False)

    def next(self, client, stage):
        """Sends the client on and waits for its next stage."""
        client.send("next")
        client.expect(f"ready {stage}")

    def hold(self, code):
        self.input.send(f"key {code} 1")

    def release(self, code):
        self.input.send(f"key {code} 0")

    def press(self, *codes):
        """A key with the modifiers before it held."""
        for code in codes[:-1]:
            self.hold(code)
        self.input.key(codes[-1])
        for code in reversed(codes[:-1]):
            self.release(code)


def sides(area, thickness):
    """The four sides of a frame as boxes."""
    x, y, width, height = area
    return [
        (x, y, width, thickness),
        (x, y + height - thickness, width, thickness),
        (x, y, thickness, height),
        (x + width - thickness, y, thickness, height),
    ]


def is_filled(desktop, area, colour):
    """Whether the screen shows nothing but the colour there."""
    try:
        assert_filled(desktop.portal.screenshot(), area, colour)
    except AssertionError:
        return False
    return True


def assert_filled(picture, area, colour):
    x, y, width, height = area
    wanted = bytes((colour >> 16 & 255, colour >> 8 & 255, colour & 255)) * width
    for row in range(y, y + height):
        assert picture.row(row, x, width) == wanted, (
            f"the row {row} of {area} is not #{colour:06x} but begins with"
            f" #{picture.pixel(x, row):06x}"
        )


def assert_nothing_outside(picture, areas, colour=BACKGROUND):
    wanted = bytes((colour >> 16 & 255, colour >> 8 & 255, colour & 255))
    for y in range(picture.height):
        spans = sorted((x, x + w) for x, top, w, h in areas if top <= y < top + h)
        at = 0
        for left, right in spans + [(picture.width, picture.width)]:
            if left > at:
                assert picture.row(y, at, left - at) == wanted * (left - at), (
                    f"something is drawn in row {y} between {at} and {left}"
                )
            at = max(at, right)

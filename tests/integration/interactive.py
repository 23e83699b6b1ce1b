"""Windows moved and resized by the pointer end exactly where the pointer let go.

interactive.py COMPOSITOR GUEST [TEST...]; GUEST: native, agent or bridge.
"""

import sys

from portaltest import case, guest, programs, scenario

TOP_LEFT, BOTTOM_RIGHT = 0xC0FFEE, 0xEEFFC0  # the corners' colours, tests/clients/resize.c
WIDTH, HEIGHT = 200, 150  # of the window at first


def start(session, compositor, kind, *arguments):
    """The window is there, and the pointer's button down in its middle."""
    compositor.input.move(*scenario.PARK)
    inside = (
        guest.Native(session, compositor)
        if kind == "native"
        else guest.KINDS[kind](session, compositor)
    )
    client = inside.start("test-client", [programs.TEST_CLIENT, "resize", *arguments])
    client.expect("ready window")
    x, y = compositor.screenshot().find(TOP_LEFT)
    compositor.input.move(x + 100, y + 75)
    compositor.input.button(True)
    return inside, client, (x, y)


def finish(inside, compositor, client):
    compositor.windows.steer("close", compositor.windows.expect("portal.test.resize"))
    client.expect("end")
    assert client.wait_exit() == 0, client.details()
    inside.stop()


def resizing_ends_at_the_exact_size(compositor_kind, kind):
    with case.desktop(f"resize-{kind}", compositor_kind) as (session, compositor):
        inside, client, (x, y) = start(session, compositor, kind)
        client.expect("resizing")
        # Not every step need be shown, but the last one must be.
        for step in range(1, 41):
            compositor.input.move(x + 100 + step * 3, y + 75 + step * 2)
        compositor.input.button(False)
        client.expect(f"size {WIDTH + 120}x{HEIGHT + 80}")
        shown = compositor.screenshot()
        assert shown.find(TOP_LEFT) == (x, y), shown.find(TOP_LEFT)
        corner = (x + WIDTH + 120 - 8, y + HEIGHT + 80 - 8)
        assert shown.find(BOTTOM_RIGHT) == corner, (shown.find(BOTTOM_RIGHT), corner)
        finish(inside, compositor, client)


def shrinking_ends_at_the_exact_size(compositor_kind, kind):
    with case.desktop(f"shrink-{kind}", compositor_kind) as (session, compositor):
        inside, client, (x, y) = start(session, compositor, kind)
        client.expect("resizing")
        for step in range(1, 31):
            compositor.input.move(x + 100 - step * 2, y + 75 - step)
        compositor.input.button(False)
        client.expect(f"size {WIDTH - 60}x{HEIGHT - 30}")
        finish(inside, compositor, client)


def moving_ends_at_the_exact_place(compositor_kind, kind):
    with case.desktop(f"move-{kind}", compositor_kind) as (session, compositor):
        inside, client, (x, y) = start(session, compositor, kind, "move")
        client.expect("moving")
        # The request is handled when the compositor has answered something sent after it.
        client.expect("moved")
        for step in range(1, 21):
            compositor.input.move(x + 100 + step * 4, y + 75 - step * 3)
        compositor.input.button(False)
        shown = compositor.screenshot()
        assert shown.find(TOP_LEFT) == (x + 80, y - 60), (shown.find(TOP_LEFT), x, y)
        finish(inside, compositor, client)


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    tests = [moving_ends_at_the_exact_place]
    # sway 1.12 drops the last steps of a resize that are made while the window still draws.
    if compositor_kind != "sway":
        tests += [resizing_ends_at_the_exact_size, shrinking_ends_at_the_exact_size]
    case.main(compositor_kind, kind, tests, wanted)


main()

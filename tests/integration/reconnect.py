"""A controller that goes takes no application with it: on the next one every window is as it was.

reconnect.py COMPOSITOR bridge [TEST...]
"""

import sys

from portaltest import case, guest, picture, programs, scenario
from portaltest.deadline import Timeout, until

FRAME = 0x2060C0  # of a window whose guest has no colour in the configuration


def start(where, feature):
    return where.start("test-client", [programs.TEST_CLIENT, feature])


def stages(client):
    """The client's stages, each held until the next is asked for."""
    while True:
        what, name = client.expect(r"(ready|end) ?(.*)").groups()
        if what == "end":
            break
        yield name
        client.send("next")
    assert client.wait_exit() == 0, client.details()


def native_pictures(compositor_kind, feature):
    with case.desktop(f"reconnect-{feature}-native", compositor_kind) as (session, compositor):
        compositor.input.move(*scenario.PARK)
        client = start(guest.Native(session, compositor, label="guest"), feature)
        return [(name, compositor.screenshot()) for name in stages(client)]


def whole(shown):
    return shown


def around_window(shown):
    """The window and what surrounds it, wherever it was placed: one that comes back is placed by the
    size it has now, with its subsurfaces, not by the one it had at first."""
    found = shown.find(FRAME)
    return shown.crop(found[0] - 50, found[1] - 50, 500, 400) if found else shown


def await_picture(compositor, wanted, name, part=whole):
    """The controller says nowhere that a window has come back: its screen does."""
    shown = None
    wanted = part(wanted)

    def same():
        nonlocal shown
        shown = part(compositor.screenshot())
        return shown.pixels == wanted.pixels

    try:
        until(f"{name} to come back", same, interval=0.1)
    except Timeout:
        picture.assert_same(wanted, shown, name, compositor.session.results)


def every_stage_comes_back(compositor_kind, feature, part=whole, but=()):
    """At each stage, `but` those that the application itself leaves when a configure comes."""
    expected = native_pictures(compositor_kind, feature)
    assert expected
    with case.desktop(f"reconnect-{feature}", compositor_kind) as (session, compositor):
        compositor.input.move(*scenario.PARK)
        empty = compositor.screenshot()
        inside = guest.Bridged(session, compositor)
        client = start(inside, feature)
        for (name, wanted), stage in zip(expected, stages(client), strict=True):
            assert stage == name
            if stage in but:
                continue
            inside.kill_bridge()
            await_picture(compositor, empty, "the empty screen")
            inside.start_bridge()
            await_picture(compositor, wanted, name, part)
        inside.stop()


def windows_come_back(compositor_kind, kind):
    every_stage_comes_back(compositor_kind, "scale", around_window)


def subsurfaces_come_back_in_their_order(compositor_kind, kind):
    # The client answers the configure with a commit, which applies what was pending.
    but = ("cached", "position pending")
    every_stage_comes_back(compositor_kind, "subsurfaces", around_window, but)


def viewports_come_back(compositor_kind, kind):
    every_stage_comes_back(compositor_kind, "viewport", around_window)


def popups_without_a_grab_come_back(compositor_kind, kind):
    every_stage_comes_back(compositor_kind, "popups")


def an_application_that_starts_while_there_is_none_is_shown_later(compositor_kind, kind):
    with case.desktop("reconnect-early", compositor_kind) as (session, compositor):
        inside = guest.Bridged(session, compositor)
        inside.kill_bridge()
        client = start(inside, "scale")
        inside.start_bridge()
        assert list(stages(client))
        inside.stop()


def an_application_can_end_while_there_is_none(compositor_kind, kind):
    with case.desktop("reconnect-end", compositor_kind) as (session, compositor):
        compositor.input.move(*scenario.PARK)
        empty = compositor.screenshot()
        inside = guest.Bridged(session, compositor)
        client = start(inside, "scale")
        client.expect("ready .*")
        inside.kill_bridge()
        client.kill()
        inside.start_bridge()
        other = start(inside, "scale")
        other.expect("ready .*")
        other.kill()
        await_picture(compositor, empty, "the empty screen")
        inside.stop()


def a_window_that_comes_back_elsewhere_has_left_where_it_was(compositor_kind, kind):
    two = {"WLR_HEADLESS_OUTPUTS": "2"}
    with case.desktop("reconnect-output", compositor_kind, env=two) as (session, compositor):
        first, second = "HEADLESS-1", "HEADLESS-2"
        compositor.outputs("--output", second, "--pos", "1024,0")
        # Windows open where the pointer is.
        compositor.input.send("by -5000 -5000")
        inside = guest.Bridged(session, compositor)
        client = start(inside, "outputs")
        client.expect(f"enter {first}")
        client.expect("ready outputs")
        inside.kill_bridge()
        compositor.input.send("by 1500 0")
        inside.start_bridge()
        client.expect_all(f"enter {second}", f"leave {first}")
        # What it is on it does not leave.
        inside.kill_bridge()
        inside.start_bridge()
        compositor.outputs("--output", second, "--scale", "2")
        events = []
        while "preferred scale 2" not in events:
            events.append(client.expect("enter .*|leave .*|preferred scale .*").group())
        assert not [event for event in events if event.startswith("leave")], events
        client.close_input()
        client.expect("end")
        assert client.wait_exit() == 0, client.details()
        inside.stop()


TESTS = [
    windows_come_back,
    subsurfaces_come_back_in_their_order,
    viewports_come_back,
    popups_without_a_grab_come_back,
    an_application_that_starts_while_there_is_none_is_shown_later,
    an_application_can_end_while_there_is_none,
    a_window_that_comes_back_elsewhere_has_left_where_it_was,
]


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    case.main(compositor_kind, kind, TESTS, wanted)


main()

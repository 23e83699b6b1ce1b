"""Touch, several seats and window menus, on a compositor that offers next to nothing else.

touch.py GUEST [TEST...]; GUEST: native, agent or bridge.
"""

import os
import sys

from portaltest import case, guest, programs, scenario
from portaltest.deadline import until
from portaltest.minimal import Minimal
from portaltest.session import Session

WINDOW = 100  # where test-minimal puts every window


class Desk:
    """The minimal compositor in a session of its own, and a guest in it."""

    def __init__(self, session, kind, seats=()):
        self.compositor = Minimal(session, "subcompositor")
        self.process = self.compositor.process
        for seat in seats:
            self.compositor.send(f"seat {seat}")
        self.guest = (
            guest.Native(session, self.compositor)
            if kind == "native"
            else guest.KINDS[kind](session, self.compositor)
        )
        self.send = self.compositor.send

    def start(self, *arguments, feature="events"):
        client = self.guest.start("test-client", [programs.TEST_CLIENT, feature, *arguments])
        client.expect(f"ready {feature}")
        return client

    @staticmethod
    def end(client):
        client.close_input()
        client.expect("end")
        assert client.wait_exit() == 0, client.details()


def in_desk(name, kind, test, seats=()):
    session = Session(f"{name}-{kind}", case.results_directory(f"{name}-{kind}"))
    failed = True
    try:
        desk = Desk(session, kind, seats)
        result = test(desk)
        desk.guest.stop()
        desk.compositor.stop()
        failed = False
        return result
    except AssertionError:
        print(session.details(), file=sys.stderr)
        raise
    finally:
        session.finish(failed)


def two_fingers(desk):
    """One finger on the window, one on its subsurface; both move, one leaves, one is cancelled."""
    client = desk.start()
    desk.send(f"down seat0 0 {WINDOW + 60} {WINDOW + 50}")
    desk.send("frame seat0")
    client.expect(r"touch down 0 window 60\.00 50\.00")
    desk.send(f"down seat0 1 {WINDOW + 170} {WINDOW + 120}")
    desk.send("frame seat0")
    client.expect(r"touch down 1 sub 20\.00 20\.00")
    desk.send(f"motion seat0 0 {WINDOW + 65.5} {WINDOW + 40.25}")
    desk.send(f"motion seat0 1 {WINDOW + 175} {WINDOW + 121}")
    desk.send("frame seat0")
    client.expect(r"touch motion 0 65\.50 40\.25")
    client.expect(r"touch motion 1 25\.00 21\.00")
    # Out of the window: the finger still belongs to it.
    desk.send("motion seat0 0 20 30")
    desk.send("frame seat0")
    client.expect(r"touch motion 0 -80\.00 -70\.00")
    desk.send("up seat0 1")
    desk.send("frame seat0")
    client.expect("touch up 1")
    desk.send("cancel seat0")
    client.expect("touch cancel")
    desk.send(f"down seat0 5 {WINDOW + 5} {WINDOW + 5}")
    desk.send("frame seat0")
    client.expect(r"touch down 5 window 5\.00 5\.00")
    desk.send("up seat0 5")
    desk.send("frame seat0")
    client.expect("touch up 5")
    client.expect("touch frame")
    desk.end(client)
    return scenario.Run(None, client, None).log()


def touch_arrives_as_natively(kind):
    expected = in_desk("touch", "native", two_fingers)
    actual = in_desk("touch", kind, two_fingers)
    scenario.assert_same_logs(expected, actual)


def second_seat(desk):
    client = desk.start("2")
    client.drain()
    assert "seat name seat1" in client.lines, client.details()
    # What the first seat does is not the second's.
    desk.send(f"down seat0 0 {WINDOW + 10} {WINDOW + 10}")
    desk.send("frame seat0")
    desk.send(f"down seat1 0 {WINDOW + 60} {WINDOW + 50}")
    desk.send("frame seat1")
    client.expect(r"touch down 0 window 60\.00 50\.00")
    desk.send("up seat0 0")
    desk.send("frame seat0")
    desk.send("up seat1 0")
    desk.send("frame seat1")
    client.expect("touch up 0")
    client.expect("touch frame")
    desk.end(client)
    return scenario.Run(None, client, None).log()


def seats_pass_through_one_to_one(kind):
    expected = in_desk("seats", "native", second_seat, ["seat1"])
    actual = in_desk("seats", kind, second_seat, ["seat1"])
    scenario.assert_same_logs(expected, actual)


def count_seats(desk):
    path = os.path.join(os.path.dirname(__file__), "globals.py")
    lister = desk.guest.start("globals", [sys.executable, path])
    assert lister.wait_exit() == 0, lister.details()
    return lister.lines.count("wl_seat")


def comes_and_goes(desk):
    """A seat that is there when an application starts, and goes while it runs."""
    desk.send("seat seat1")
    until("the guest to hear of it", lambda: count_seats(desk) == 2)
    client = desk.start("2")
    desk.send(f"down seat1 0 {WINDOW + 60} {WINDOW + 50}")
    desk.send("frame seat1")
    client.expect(r"touch down 0 window 60\.00 50\.00")
    desk.send("unseat seat1")
    # The other seat and the window live on.
    first = desk.start()
    desk.send(f"down seat0 0 {WINDOW + 10} {WINDOW + 10}")
    desk.send("frame seat0")
    first.expect(r"touch down 0 window 10\.00 10\.00")
    desk.send("up seat0 0")
    desk.send("frame seat0")
    first.expect("touch up 0")
    desk.end(first)
    desk.end(client)


def a_seat_comes_and_goes(kind):
    in_desk("seat-hotplug", kind, comes_and_goes)


def menu(desk):
    client = desk.start(feature="menu")
    desk.send(f"down seat0 0 {WINDOW + 5} {WINDOW + 5}")
    desk.send("frame seat0")
    client.expect("ready asked")
    menus = lambda: [line for line in desk.process.drain() if line.startswith("menu ")]
    until("the request", menus)
    desk.send("up seat0 0")
    desk.send("frame seat0")
    desk.end(client)
    return menus()


def a_window_menu_is_asked_for_with_the_seat_and_the_place(kind):
    asked = in_desk("window-menu", kind, menu)
    assert asked == ["menu seat0 30 40"], asked


def drag(desk):
    client = desk.start(feature="drag")
    desk.send(f"down seat0 0 {WINDOW + 30} {WINDOW + 30}")
    desk.send("frame seat0")
    client.expect(r"drag enter window 30\.00 30\.00")
    desk.send(f"motion seat0 0 {WINDOW + 170} {WINDOW + 70}")
    client.expect(r"drag enter target 30\.00 30\.00")
    desk.send(f"motion seat0 0 {WINDOW + 300} {WINDOW + 70}")
    client.expect("drag leave")
    desk.send(f"motion seat0 0 {WINDOW + 160} {WINDOW + 60}")
    client.expect(r"drag enter target 20\.00 20\.00")
    client.expect("offer action 1")
    desk.send("up seat0 0")
    client.expect("source finished")
    desk.end(client)
    # One that is lifted where nobody takes it.
    for arguments, *place in (([], 300, 70), (["refuse"], 160, 60)):
        client = desk.start(*arguments, feature="drag")
        desk.send(f"down seat0 0 {WINDOW + 30} {WINDOW + 30}")
        client.expect(r"drag enter window 30\.00 30\.00")
        desk.send(f"motion seat0 0 {WINDOW + place[0]} {WINDOW + place[1]}")
        client.expect("drag leave")
        desk.send("up seat0 0")
        client.expect("source cancelled")
        desk.end(client)
        assert "drag drop" not in client.lines, client.details()


def a_finger_drags(kind):
    in_desk("touch-drag", kind, drag)


def main():
    kind, *wanted = sys.argv[1:]
    tests = [
        touch_arrives_as_natively,
        seats_pass_through_one_to_one,
        a_seat_comes_and_goes,
        a_window_menu_is_asked_for_with_the_seat_and_the_place,
    ]
    if kind != "native":  # this compositor knows nothing of drags, the agent does
        tests.append(a_finger_drags)
    case.run(tests, wanted, kind)


main()

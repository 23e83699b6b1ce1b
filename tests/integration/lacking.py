"""A guest on a controller that has nothing but wl_compositor, wl_shm, xdg_wm_base, wl_seat and an
output, and one that comes there from a controller that had more.

lacking.py GUEST [TEST...]; GUEST: agent or bridge.
"""

import contextlib
import os
import sys

from portaltest import case, guest, programs
from portaltest.compositor import Portal
from portaltest.deadline import until
from portaltest.minimal import Minimal

WINDOW = 100  # where test-minimal puts every window

# What the agent itself stands for, whatever the controller has.
OF_THE_AGENT = {
    "ext_data_control_manager_v1",
    "wl_data_device_manager",
    "wp_single_pixel_buffer_manager_v1",
    "zwlr_data_control_manager_v1",
    "zwp_primary_selection_device_manager_v1",
    "zxdg_output_manager_v1",
}
OF_THE_CONTROLLER = {"wl_compositor", "wl_output", "wl_seat", "wl_shm", "xdg_wm_base"}


@contextlib.contextmanager
def inside_minimal(name, kind, *more):
    with case.session(f"lacking-{name}-{kind}") as session:
        minimal = Minimal(session, *more)
        inside = guest.KINDS[kind](session, minimal)
        yield inside, minimal
        assert inside.agent.alive(), inside.agent.details()
        inside.stop()
        minimal.stop()


def run_through(inside, feature, *arguments):
    """Runs a test client through all its stages."""
    client = inside.start("test-client", [programs.TEST_CLIENT, feature, *arguments])
    while client.expect(r"(ready|end).*").group(1) != "end":
        client.send("next")
    assert client.wait_exit() == 0, client.details()


def failure(inside, command):
    """What a program that has to fail says."""
    process = inside.start(os.path.basename(command[0]), command)
    assert process.wait_exit() != 0, process.details()
    return process.log() + "\n".join(process.lines)


def globals_of(inside):
    path = os.path.join(os.path.dirname(__file__), "globals.py")
    lister = inside.start("globals", [sys.executable, path])
    assert lister.wait_exit() == 0, lister.details()
    return set(lister.lines)


def a_guest_sees_what_its_controller_has(kind):
    with inside_minimal("globals", kind) as (inside, _):
        seen = globals_of(inside)
        assert seen == OF_THE_AGENT | OF_THE_CONTROLLER, seen


def a_controller_without_a_screen_is_one_too(kind):
    with inside_minimal("blind", kind, "blind") as (inside, minimal):
        seen = globals_of(inside)
        assert seen == OF_THE_AGENT | OF_THE_CONTROLLER - {"wl_output"}, seen
        # It hears of a window, which nobody will see.
        client = inside.start("test-client", [programs.TEST_CLIENT, "damage"])
        minimal.process.expect("window portal.test.damage")
        client.stop()
        minimal.process.expect("closed")


def what_does_without_works(kind):
    with inside_minimal("works", kind) as (inside, _):
        for feature in ("damage", "formats", "popups", "scale", "transform"):
            run_through(inside, feature)


def what_cannot_do_without_is_told_so(kind):
    with inside_minimal("told", kind) as (inside, _):
        said = failure(inside, [programs.TEST_CLIENT, "subsurfaces"])
        assert "no wl_subcompositor" in said, said
        said = failure(inside, ["foot", "true"])
        assert "sub compositor" in said, said
        run_through(inside, "damage")


def a_drag_has_no_icon_and_ends_where_it_should(kind):
    with inside_minimal("drag", kind) as (inside, minimal):
        client = inside.start("test-client", [programs.TEST_CLIENT, "drag"])
        client.expect("ready drag")
        minimal.touch("down", 0, WINDOW + 30, WINDOW + 30)
        client.expect("offer action 1")
        minimal.touch("motion", 0, WINDOW + 170, WINDOW + 70)
        client.expect(r"drag motion 170\.00 70\.00")
        minimal.touch("up", 0)
        client.expect("source finished")
        client.stop()


def one_that_comes_with_less_takes_no_application_along(kind):
    """Globals stay; what the new controller has not is not asked of it, and not shown."""
    features = ("drag", "viewport", "presentation", "decorations", "scale", "subsurfaces")
    with case.session(f"lacking-less-{kind}") as session:
        portal = Portal(session)
        inside = guest.KINDS[kind](session, portal)
        shown = []
        for feature in features:
            client = inside.start("test-client", [programs.TEST_CLIENT, feature])
            client.expect("ready .*")
            shown.append(client)
        client = shown[0]
        inside.kill_bridge()
        minimal = Minimal(session)
        inside.compositor = minimal
        inside.start_bridge()
        # Each is a window again. The last one of them is in front.
        windows = []
        while len(windows) < len(features):
            windows.append(minimal.process.expect(r"window (\S+)").group(1))
        assert sorted(windows) == sorted(f"portal.test.{feature}" for feature in features), windows
        run_through(inside, "damage")
        for other in shown[1:]:
            other.stop()
        for _ in range(len(features)):  # with the one that was run through
            minimal.process.expect("closed")
        # The first is in front now; its subsurface is not there.
        minimal.touch("down", 0, WINDOW + 170, WINDOW + 70)
        client.expect(r"touch down 0 window 170\.00 70\.00")
        client.expect(r"drag enter window 170\.00 70\.00")
        minimal.touch("up", 0)
        # And on the first controller it is all there again.
        inside.kill_bridge()
        inside.compositor = portal
        inside.start_bridge()
        until("the subsurface", lambda: portal.screenshot().count(0x208020) == 80 * 80)
        client.stop()
        assert inside.agent.alive(), inside.agent.details()
        inside.stop()
        minimal.stop()
        assert portal.stop() == 0, portal.process.details()


def main():
    kind, *wanted = sys.argv[1:]
    tests = [
        a_guest_sees_what_its_controller_has,
        a_controller_without_a_screen_is_one_too,
        what_does_without_works,
        what_cannot_do_without_is_told_so,
        a_drag_has_no_icon_and_ends_where_it_should,
    ]
    if kind == "bridge":
        tests.append(one_that_comes_with_less_takes_no_application_along)
    case.run(tests, wanted, kind)


main()

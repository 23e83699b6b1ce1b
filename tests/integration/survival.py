"""Killing a guest's agent, its bridge or an application at any point leaves the compositor and the
other guests as they were; nothing of the dead one stays on the screen or open.

survival.py COMPOSITOR GUEST [TEST...]; GUEST: agent or bridge.
"""

import os
import signal
import sys

from portaltest import case, guest, programs, scenario
from portaltest.deadline import until
from portaltest.process import children, descriptors


class World:
    """Two guests, each with a window: the one that lives on, and the one that dies."""

    def __init__(self, session, compositor, kind):
        self.compositor = compositor
        compositor.input.move(*scenario.PARK)
        self.kind = guest.KINDS[kind]
        self.session = session
        self.empty = compositor.screenshot()
        self.other = self.kind(session, compositor, "other")
        self.witness = self.start(self.other, "viewport")
        self.witness.expect("ready none")
        self.calm = compositor.screenshot()
        compositor.windows  # made before descriptors are counted
        self.open = descriptors(compositor.process.pid)

    @staticmethod
    def start(inside, feature, *arguments):
        return inside.start("test-client", [programs.TEST_CLIENT, feature, *arguments])

    def check(self):
        """Everything is as before the dead one came."""
        pid = self.compositor.process.pid
        assert self.compositor.process.alive(), self.compositor.process.details()
        until(
            "the dead one's windows to go",
            lambda: self.compositor.screenshot().pixels == self.calm.pixels,
        )
        until("the dead one's descriptors to go", lambda: descriptors(pid) <= self.open)
        # The witness draws on: its next stage looks different, and going back is possible.
        assert all(process.alive() for process in self.other.processes())

    def finish(self):
        """The other guest's window still goes through all it has to show."""
        self.witness.send("next")
        while self.witness.expect(r"(ready|end).*").group(1) != "end":
            self.witness.send("next")
        assert self.witness.wait_exit() == 0, self.witness.details()
        self.other.stop()


# Where in its life the client is when something is killed: a line it has printed. "" is at once.
POINTS = [
    ("scale", ""),
    ("scale", "ready scale 1"),
    ("damage", "ready whole"),
    ("popups", "ready menu"),
    ("nested", "ready nested"),
    ("many", "ready half"),
    ("pacing", ""),
]


def at_points(name, kill):
    """A test that kills at each of the points."""

    def test(compositor_kind, kind):
        with case.desktop(f"{name}-{kind}", compositor_kind) as (session, compositor):
            world = World(session, compositor, kind)
            for feature, line in POINTS:
                inside = world.kind(session, compositor, "guest")
                client = world.start(inside, feature)
                if line:
                    while client.expect(r"ready .*").group(0) != line:
                        client.send("next")
                kill(inside, client)
                world.check()
            world.finish()

    test.__name__ = name
    return test


def kill_application(inside, client):
    client.kill()
    assert all(process.alive() for process in inside.processes())
    inside.stop()


def kill_agent(inside, client):
    inside.agent.kill()
    client.wait_exit()
    for process in inside.processes():
        if process is not inside.agent:
            process.wait_exit()


def kill_bridge(inside, client):
    inside.kill_bridge()
    # The application does not notice: its windows come back with the next bridge, which takes over
    # what the killed one left of its sockets.
    inside.start_bridge()
    until("the next bridge to be ready", lambda: "is ready;" in inside.bridge.log(), interval=0.05)
    names = os.listdir(os.path.dirname(inside.control_socket()))
    left = sorted(name for name in names if name.startswith("bridge-"))
    assert left == ["bridge-guest.varlink", "bridge-other.varlink"], left
    assert client.alive()
    client.stop()
    inside.stop()


def kill_confined(inside):
    """The process that faces the guest dies; the one that started it says so and ends."""
    (confined,) = children(inside.bridge.pid)
    os.kill(confined, signal.SIGKILL)
    assert inside.bridge.wait_exit() != 0


def stop_agent_and_go_on(inside, client):
    """An agent that stands still for a while holds nobody up."""
    inside.agent.popen.send_signal(signal.SIGSTOP)
    shot = inside.compositor.screenshot()
    inside.compositor.input.move(20, 20)
    inside.compositor.input.move(*scenario.PARK)
    assert shot.width == inside.compositor.screenshot().width
    inside.agent.popen.send_signal(signal.SIGCONT)
    client.kill()
    inside.stop()


def windows_come_back_with_the_next_bridge(compositor_kind, kind):
    """The bridge is killed and started again: the same application shows the same window with the
    same content, and goes on."""
    with case.desktop(f"replay-{kind}", compositor_kind) as (session, compositor):
        compositor.input.move(*scenario.PARK)
        inside = guest.Bridged(session, compositor)
        empty = compositor.screenshot()
        client = World.start(inside, "subsurfaces")
        client.expect("ready stacked")
        shown = compositor.screenshot()
        for _ in range(3):
            kill_confined(inside)
            until("the window to go", lambda: compositor.screenshot().pixels == empty.pixels)
            inside.start_bridge()
            until("the window to come", lambda: compositor.screenshot().pixels != empty.pixels)
            until("its content", lambda: compositor.screenshot().pixels == shown.pixels)
        client.send("next")
        client.expect("ready red above blue")
        assert compositor.screenshot().pixels != shown.pixels
        client.stop()
        inside.stop()


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    tests = [
        at_points("killing_an_application_leaves_the_rest_untouched", kill_application),
        at_points("killing_an_agent_leaves_the_rest_untouched", kill_agent),
        at_points("an_agent_that_stands_still_holds_nobody_up", stop_agent_and_go_on),
    ]
    if kind == "bridge":
        tests += [
            at_points("killing_a_bridge_leaves_the_rest_untouched", kill_bridge),
            windows_come_back_with_the_next_bridge,
        ]
    case.main(compositor_kind, kind, tests, wanted)


main()

"""The bridge between one guest and the compositor: what it lets through, what ends it, and how.

bridge.py COMPOSITOR GUEST [TEST...]; GUEST is always bridge.
"""

import json
import os
import re
import select
import signal
import socket
import sys
import time
from collections import Counter

from portaltest import case, guest, programs
from portaltest.bridge import call, control
from portaltest.deadline import until
from portaltest.process import (
    children,
    descriptor_links,
    descriptor_list,
    is_listening,
    unix_sockets,
)

# Exit statuses, portal-bridge(1).
DONE, COMPOSITOR, LOST, VIOLATION, HEAP = 0, 3, 5, 6, 9


def start_guest(session, compositor, name="guest", make=guest.Bridged):
    """A guest whose bridge has met its agent."""
    inside = make(session, compositor, name)
    until(f"{name} to be ready", lambda: "is ready;" in inside.bridge.log(), interval=0.05)
    return inside


class Hostile:
    """A guest that does not keep the rules, and the bridge that has to deal with it."""

    def __init__(self, session, compositor, what, acts=True, watch=None):
        """With `watch` it waits until that, called once the bridge is there, has returned."""
        path = os.path.join(session.directory, f"hostile-{what}")
        self.guest = session.start(
            "test-hostile", [programs.built("tests/wire/test-hostile"), path, what]
        )
        self.guest.expect("listening")
        if watch:
            self.guest.popen.send_signal(signal.SIGSTOP)
        self.bridge = session.start(
            "portal-bridge-evil",
            [programs.BRIDGE, "--vm", "evil", "--transport", f"unix:{path}", "--heap", "memfd:"],
            compositor.env,
        )
        if watch:
            watch()
            self.guest.popen.send_signal(signal.SIGCONT)
        if acts:
            self.guest.expect("acted")


VIOLATIONS = {
    "half-message": "a frame does not hold whole Wayland messages",
    "no-object": "request 0 to object 1234: there is none",
    "id-gap": "wl_display#1.sync: id 15 is not the next or a free one",
    "bind-hidden": "wl_registry#2.bind: global 7777 was not offered",
    "big-pool": r"wl_shm#4.create_pool: a pool of 2147483647 bytes in a heap of \d+",
    "buffer-outside": "wl_shm_pool#8.create_buffer: the buffer ends at 4100, its pool at 4096",
    "no-descriptor": "a descriptor is missing",
    "blob": "a descriptor that no message carries",
    "other-connection": "a frame is for connection 99, which is not there",
    "connect-twice": "connection 1 is there already",
    "too-many-connections": "more than 512 connections were refused and not given up",
}


def a_guest_that_breaks_a_rule_loses_its_channel_with_one_line(compositor_kind, kind):
    with case.desktop("bridge-violations", compositor_kind) as (session, compositor):
        good = start_guest(session, compositor, "good")
        client = good.start("test-client", [programs.TEST_CLIENT, "scale"])
        client.expect("ready.*")
        for what, reason in VIOLATIONS.items():
            hostile = Hostile(session, compositor, what)
            assert hostile.bridge.wait_exit() == VIOLATION, hostile.bridge.details()
            hostile.guest.expect(f"closed protocol violation: {reason}")
            assert hostile.guest.wait_exit() == 0
            lines = [line for line in hostile.bridge.log().splitlines() if "broke" in line]
            pattern = rf"portal-bridge\[evil\]: the guest broke the protocol: {reason}"
            assert len(lines) == 1 and re.fullmatch(pattern, lines[0]), hostile.bridge.log()
            os.truncate(hostile.bridge.log_path, 0)
        # Nobody else has noticed.
        client.send("next")
        while client.expect(r"(ready|end).*").group(1) != "end":
            client.send("next")
        assert client.wait_exit() == 0, client.details()
        assert good.bridge.alive() and good.agent.alive()
        good.stop()


def a_guest_whose_heap_is_not_there_is_heard_no_further(compositor_kind, kind):
    """Its connection comes with its greeting, in one piece."""
    with case.desktop("bridge-heap", compositor_kind) as (session, compositor):
        hostile = Hostile(session, compositor, "other-heap", acts=False)
        assert hostile.bridge.wait_exit() == HEAP, hostile.bridge.details()
        reason = "heap memfd:: "
        hostile.guest.expect(f"closed .*: {reason}.*")
        assert hostile.guest.wait_exit() == 0
        (line,) = hostile.bridge.log().splitlines()
        assert line.startswith(f"portal-bridge[evil]: {reason}"), line


def a_guest_over_its_quota_loses_that_connection_only(compositor_kind, kind):
    with case.desktop("bridge-quota", compositor_kind) as (session, compositor):
        hostile = Hostile(session, compositor, "hoard")
        hostile.guest.expect(
            r"disconnected 1 wl_compositor#3.create_surface: the guest has its quota of \d+ surfaces"
        )
        state = call(session, "evil", "org.portal.Bridge.GetState")[0]
        assert state["state"] == "ready", state
        assert hostile.bridge.stop() == DONE, hostile.bridge.details()
        hostile.guest.expect("closed .*")


def an_application_that_connects_without_end_ends_alone(compositor_kind, kind):
    """The guest has 128 connections, of which the agent's own is one; all are asked for at once."""
    with case.desktop("bridge-burst", compositor_kind) as (session, compositor):
        inside = start_guest(session, compositor)
        client = inside.start("test-client", [programs.TEST_CLIENT, "scale"])
        client.expect("ready.*")
        path = os.path.join(inside.runtime, inside.display)
        connections = [socket.socket(socket.AF_UNIX) for _ in range(250)]
        # Nobody answers any of them before the last one has come.
        inside.bridge.popen.send_signal(signal.SIGSTOP)
        os.kill(children(inside.bridge.pid)[0], signal.SIGSTOP)
        for connection in connections:
            connection.connect(path)
        os.kill(children(inside.bridge.pid)[0], signal.SIGCONT)
        inside.bridge.popen.send_signal(signal.SIGCONT)
        # The surplus is told of an error; the others asked for nothing and hear nothing.
        told = select.poll()
        for connection in connections:
            told.register(connection, select.POLLIN)
        until("the surplus to be told", lambda: len(told.poll(0)) == 250 - 126, interval=0.05)
        # The others still have what they had.
        client.send("next")
        while client.expect(r"(ready|end).*").group(1) != "end":
            client.send("next")
        assert client.wait_exit() == 0, client.details()
        for connection in connections:
            connection.close()
        inside.stop()


# What would end the compositor, or keep it busy without end: the first two end wlroots 0.20.2; the
# others take its stack, its memory, its time.
DEADLY = {
    "early-reposition": "xdg_popup#14.reposition: before the initial commit",
    "grab-twice": "xdg_popup#14.grab: the popup has its grab",
    "own-parent": "xdg_surface#10.get_popup: the parent is no window",
    "tower": "wl_subcompositor#7.get_subsurface: surfaces are nested more than 64 deep",
    "grid": "wl_region#8.add: more than 512 rectangles make a region",
    "waiting-commits": r"wl_surface#9.commit: the guest has its quota of \d+ commits that wait.*",
}


def what_a_compositor_would_not_survive_ends_that_connection_only(compositor_kind, kind):
    with case.desktop("bridge-deadly", compositor_kind) as (session, compositor):
        for what, reason in DEADLY.items():
            hostile = Hostile(session, compositor, what)
            hostile.guest.expect(f"disconnected 1 {reason}")
            state = call(session, "evil", "org.portal.Bridge.GetState")[0]
            assert state["state"] == "ready", state
            assert compositor.process.alive(), compositor.process.details()
            assert hostile.bridge.stop() == DONE, hostile.bridge.details()
            hostile.guest.expect("closed .*")


def a_guest_over_its_rate_is_read_more_slowly(compositor_kind, kind):
    with case.desktop("bridge-rate", compositor_kind) as (session, compositor):
        start = time.monotonic()
        hostile = Hostile(session, compositor, "flood")
        hostile.guest.expect("answered")
        # 500000 messages, of which 100000 may come at once and 200000 a second.
        assert time.monotonic() - start >= 1.9
        state = call(session, "evil", "org.portal.Bridge.GetState")[0]
        assert state["state"] == "ready", state
        assert hostile.bridge.stop() == DONE, hostile.bridge.details()
        hostile.guest.expect("closed .*")


def a_guest_that_makes_much_work_of_few_messages_is_slowed_down_too(compositor_kind, kind):
    with case.desktop("bridge-restack", compositor_kind) as (session, compositor):
        start = time.monotonic()
        hostile = Hostile(session, compositor, "restack")
        hostile.guest.expect("answered")
        # 2000 places among 4000 surfaces, each worth 251 messages, of which 100000 may come at once.
        assert time.monotonic() - start >= 1.9
        assert hostile.bridge.stop() == DONE, hostile.bridge.details()
        hostile.guest.expect("closed .*")


def a_guest_decides_what_is_told_of_it_and_not_how_often(compositor_kind, kind):
    with case.desktop("bridge-restless", compositor_kind) as (session, compositor):
        watchers = []

        def watch():
            command = ["varlinkctl", "-j", "--more", "--timeout=infinity", "call"]
            method = ["org.portal.Bridge.GetState", "{}"]
            until("the bridge", lambda: is_listening(control(session, "evil")[len("unix:") :]))
            watchers.append(
                session.start("varlinkctl", [*command, control(session, "evil"), *method])
            )
            watchers[0].expect(".*waiting.*")

        start = time.monotonic()
        hostile = Hostile(session, compositor, "restless", watch=watch)
        hostile.guest.expect("answered")
        watchers[0].expect(".*ready.*")
        # The answer to the call; then the k-th comes later than (k - 41) * 50 ms, since it waits for
        # as long as all of 40 are still to be paid for.
        most = 1 + 41 + (time.monotonic() - start) / 0.05
        assert len(watchers[0].lines) <= most, f"{len(watchers[0].lines)} states, not {most:.2f}"
        assert hostile.bridge.stop() == DONE, hostile.bridge.details()
        hostile.guest.expect("closed .*")
        watchers[0].wait_exit()


def a_guest_that_connects_without_end_is_slowed_down_too(compositor_kind, kind):
    with case.desktop("bridge-connects", compositor_kind) as (session, compositor):
        start = time.monotonic()
        hostile = Hostile(session, compositor, "come-and-go")
        hostile.guest.expect("answered")
        # 500 connections, each worth 1000 messages, of which 100000 may come at once.
        assert time.monotonic() - start >= 1.9
        assert hostile.bridge.stop() == DONE, hostile.bridge.details()
        hostile.guest.expect("closed .*")


def the_compositors_error_ends_that_connection_only(compositor_kind, kind):
    with case.desktop("bridge-error", compositor_kind) as (session, compositor):
        hostile = Hostile(session, compositor, "protocol-error")
        hostile.guest.expect("disconnected 1 closed")
        assert hostile.bridge.alive()
        assert hostile.bridge.stop() == DONE, hostile.bridge.details()
        hostile.guest.expect("closed .*")


def the_bridge_is_confined_before_it_hears_the_guest(compositor_kind, kind):
    with case.desktop("bridge-sandbox", compositor_kind) as (session, compositor):
        inside = start_guest(session, compositor)
        (confined,) = children(inside.bridge.pid)
        with open(f"/proc/{confined}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert status["Seccomp"] == "2", status
        assert status["NoNewPrivs"] == "1", status
        assert "sandbox" not in inside.bridge.log(), inside.bridge.log()
        inside.stop()


def the_confined_process_has_what_it_works_with_and_nothing_else(compositor_kind, kind):
    """Whatever was open where the bridge was started, a terminal included."""
    with case.desktop("bridge-descriptors", compositor_kind) as (session, compositor):
        with open("/etc/passwd", "rb") as stray:

            class Untidy(guest.Bridged):
                bridge_descriptors = (stray.fileno(),)

            inside = start_guest(session, compositor, make=Untidy)
        client = inside.start("test-client", [programs.TEST_CLIENT, "scale"])
        client.expect("ready.*")
        (confined,) = children(inside.bridge.pid)
        kinds = Counter(re.sub(r":\[\d+\]$", "", link) for _, link in descriptor_links(confined))
        assert kinds == {
            "/dev/null": 2,
            inside.bridge.log_path: 1,
            "anon_inode:[eventpoll]": 1,
            "anon_inode:[signalfd]": 1,
            "/memfd:portal-heap (deleted)": 1,
            # Channel, control socket, the process that started it; to the compositor one that tells
            # when it goes, the agent's and the application's.
            "socket": 6,
        }, descriptor_list(confined)
        client.stop()
        inside.stop()


def all_connections_to_the_compositor_are_the_guests(compositor_kind, kind):
    """None is left through which the process that reads the guest could ask for what is withheld
    from a guest, such as the screen's content."""
    with case.desktop("bridge-connections", compositor_kind) as (session, compositor):
        inside = start_guest(session, compositor)
        (confined,) = children(inside.bridge.pid)
        client = inside.start("test-client", [programs.TEST_CLIENT, "scale"])
        client.expect("ready.*")
        paths = [path for _, path in unix_sockets(compositor.process.pid) if path]
        assert any(path.endswith("/wayland") for path in paths), paths  # the context's socket
        display = os.path.join(session.runtime, compositor.display)
        assert display not in paths, f"{paths}\n{descriptor_list(confined)}"
        client.stop()
        inside.stop()


def programs_are_launched_in_the_guest(compositor_kind, kind):
    with case.desktop("bridge-launch", compositor_kind) as (session, compositor):
        inside = start_guest(session, compositor)
        launch = {"argv": ["sh", "-c", 'echo "$WORD"; exit 7'], "environment": ["WORD=x"]}
        started, exited = call(
            session, "guest", "org.portal.Bridge.Launch", json.dumps(launch), more=True
        )
        assert started["event"] == "started" and started["pid"] > 0, started
        assert exited["event"] == "exited" and exited["status"] == 7, exited
        launch = {"argv": ["sleep", "1000"]}
        (sleeping,) = call(session, "guest", "org.portal.Bridge.Launch", json.dumps(launch))
        assert call(session, "guest", "org.portal.Bridge.GetState")[0]["programs"] == 1
        terminate = {"launch": sleeping["launch"], "signal": signal.SIGTERM}
        call(session, "guest", "org.portal.Bridge.Signal", json.dumps(terminate))
        until(
            "the program to end",
            lambda: call(session, "guest", "org.portal.Bridge.GetState")[0]["programs"] == 0,
            interval=0.1,
        )
        inside.stop()


def the_bridge_ends_with_the_agent(compositor_kind, kind):
    with case.desktop("bridge-agent-gone", compositor_kind) as (session, compositor):
        inside = start_guest(session, compositor)
        inside.agent.kill()
        assert inside.bridge.wait_exit() == LOST, inside.bridge.details()
        assert not os.path.exists(f"{session.runtime}/portal/bridge-guest.varlink")


def a_crash_of_the_confined_process_is_the_bridges(compositor_kind, kind):
    with case.desktop("bridge-crash", compositor_kind) as (session, compositor):
        inside = start_guest(session, compositor)
        (confined,) = children(inside.bridge.pid)
        os.kill(confined, signal.SIGKILL)
        assert inside.bridge.wait_exit() == -signal.SIGKILL, inside.bridge.details()
        assert "portal-bridge[guest]: ended by Killed" in inside.bridge.log()
        assert not os.path.exists(f"{session.runtime}/portal/bridge-guest.varlink")
        assert inside.agent.alive()


def the_bridge_ends_with_the_compositor(compositor_kind, kind):
    session_failed = True
    session = case.Session("bridge-compositor-gone", case.results_directory("bridge"))
    try:
        compositor = case.COMPOSITORS[compositor_kind](session)
        inside = start_guest(session, compositor)
        compositor.stop()
        assert inside.bridge.wait_exit() == COMPOSITOR, inside.bridge.details()
        # The guest's side lives on.
        assert inside.agent.alive()
        assert inside.agent.stop() == 0, inside.agent.details()
        session_failed = False
    finally:
        session.finish(session_failed)


def is_ready(session, name):
    try:
        return call(session, name, "org.portal.Bridge.GetState")[0]["state"] == "ready"
    except AssertionError:  # it was the attempt before that was asked, and it has ended meanwhile
        return False


def a_bridge_that_waits_finds_an_agent_that_comes_late(compositor_kind, kind):
    with case.desktop("bridge-wait", compositor_kind) as (session, compositor):
        path = os.path.join(session.directory, "late")
        bridge = session.start(
            "portal-bridge-late",
            [programs.BRIDGE, "--vm", "late", "--transport", f"unix:{path}", "--heap", "memfd:",
             "--wait"],
            compositor.env,
        )
        until(
            "the bridge to wait",
            lambda: "waiting: " in bridge.log(),
            interval=0.05,
        )
        state = call(session, "late", "org.portal.Bridge.GetState")[0]
        assert (state["state"], state["problem"]) == ("waiting", "unreachable"), state
        for _ in range(2):  # and another one, when the first has gone
            agent = session.start(
                "portal-agent-late",
                [programs.AGENT, "--name", "late", "--listen", f"unix:{path}", "--heap",
                 "memfd:64M"],
            )
            until("the bridge to be ready", lambda: is_ready(session, "late"), interval=0.1)
            agent.kill()
            # Else the next one could be taken for ready by what is said of this one.
            until("the bridge to notice", lambda: not is_ready(session, "late"), interval=0.1)
        assert bridge.stop() == DONE, bridge.details()
        for name in os.listdir(session.runtime):  # what the killed agents left
            if name.startswith("wayland-") and not name.startswith(compositor.display):
                os.unlink(os.path.join(session.runtime, name))


def a_bridge_that_waits_says_why_once(compositor_kind, kind):
    """A guest that boots has a port at which something answers long before the agent does."""
    with case.desktop("bridge-quiet", compositor_kind) as (session, compositor):
        path = os.path.join(session.directory, "port")
        with socket.socket(socket.AF_UNIX) as port:
            port.bind(path)
            port.listen()
            bridge = session.start(
                "portal-bridge-quiet",
                [programs.BRIDGE, "--vm", "quiet", "--transport", f"unix:{path}", "--heap",
                 "memfd:", "--wait"],
                compositor.env,
            )
            for _ in range(3):
                port.accept()[0].close()
        # Now nobody is there at all: that is news.
        os.unlink(path)
        until("the reason to change", lambda: "No such file" in bridge.log(), interval=0.05)
        assert bridge.stop() == DONE, bridge.details()
        waits = [line for line in bridge.log().splitlines() if "waiting: " in line]
        assert len(waits) == len(set(waits)), bridge.log()


def a_bridge_takes_over_what_a_killed_one_left(compositor_kind, kind):
    with case.desktop("bridge-takes-over", compositor_kind) as (session, compositor):
        left = os.path.join(session.runtime, "portal", "bridge-guest.context")
        os.makedirs(left, 0o700)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(os.path.join(left, "wayland"))
        inside = start_guest(session, compositor)
        assert not os.path.exists(left)
        # And the context works: the compositor knows the guest's windows.
        client = inside.start("test-client", [programs.TEST_CLIENT, "scale"])
        client.expect("ready.*")
        client.stop()
        inside.stop()


TESTS = [
    a_guest_that_breaks_a_rule_loses_its_channel_with_one_line,
    a_guest_whose_heap_is_not_there_is_heard_no_further,
    a_guest_over_its_quota_loses_that_connection_only,
    an_application_that_connects_without_end_ends_alone,
    a_guest_over_its_rate_is_read_more_slowly,
    a_guest_that_makes_much_work_of_few_messages_is_slowed_down_too,
    a_guest_decides_what_is_told_of_it_and_not_how_often,
    a_guest_that_connects_without_end_is_slowed_down_too,
    what_a_compositor_would_not_survive_ends_that_connection_only,
    the_compositors_error_ends_that_connection_only,
    the_bridge_is_confined_before_it_hears_the_guest,
    the_confined_process_has_what_it_works_with_and_nothing_else,
    all_connections_to_the_compositor_are_the_guests,
    programs_are_launched_in_the_guest,
    the_bridge_ends_with_the_agent,
    a_crash_of_the_confined_process_is_the_bridges,
    the_bridge_ends_with_the_compositor,
    a_bridge_that_waits_finds_an_agent_that_comes_late,
    a_bridge_that_waits_says_why_once,
    a_bridge_takes_over_what_a_killed_one_left,
]


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    case.main(compositor_kind, kind, TESTS, wanted)


main()

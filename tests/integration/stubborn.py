"""Applications that flood their guest's agent, shrink what it reads, or want more than the heap has:
nobody else notices, and what they do next goes as if nothing had been.

stubborn.py COMPOSITOR GUEST [TEST...]
"""

import contextlib
import re
import sys

from portaltest import case, guest, programs
from portaltest.deadline import until

MIB = 1024  # KiB


def peak(process):
    """The most memory of its own that it ever had, in KiB."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    raise AssertionError("no VmHWM")


@contextlib.contextmanager
def world(name, compositor_kind, kind, heap=None):
    """A guest with a well-behaved window in it, which is seen to go on at the end."""

    class Guest(guest.KINDS[kind]):
        def agent_arguments(self):
            arguments = super().agent_arguments()
            return [*arguments[:-1], heap] if heap else arguments

    with case.desktop(f"{name}-{kind}", compositor_kind) as (session, compositor):
        inside = Guest(session, compositor)
        witness = start(inside, "viewport")
        witness.expect("ready .*")
        yield inside
        assert all(process.alive() for process in inside.processes())
        witness.send("next")
        while witness.expect(r"(ready|end).*").group(1) != "end":
            witness.send("next")
        assert witness.wait_exit() == 0, witness.details()
        inside.stop()


def start(inside, *arguments):
    return inside.start("test-client", [programs.TEST_CLIENT, *arguments])


def goes_on(inside, *arguments):
    client = start(inside, "stubborn", *arguments)
    client.expect("ready ordinary")
    client.send("next")
    client.expect("ready ordinary again")
    client.send("next")
    assert client.wait_exit() == 0, client.details()


def a_buffer_that_shrinks_is_read_as_nothing(compositor_kind, kind):
    with world("stubborn-shrunk", compositor_kind, kind) as inside:
        goes_on(inside, "shrunk")


def a_flood_of_requests_does_not_fill_the_agent(compositor_kind, kind):
    with world("stubborn-flood", compositor_kind, kind) as inside:
        before = peak(inside.agent)
        goes_on(inside, "flood", "300000")
        grown = peak(inside.agent) - before
        assert grown < 32 * MIB or programs.SANITIZED, f"{grown} KiB for 150 MiB of titles"


def a_flood_of_commits_does_not_fill_the_agent(compositor_kind, kind):
    with world("stubborn-moving", compositor_kind, kind) as inside:
        before = peak(inside.agent)
        goes_on(inside, "moving", "300000")
        grown = peak(inside.agent) - before
        assert grown < 32 * MIB or programs.SANITIZED, f"{grown} KiB for 300000 commits"


def an_application_that_never_stops_asking_is_ended_alone(compositor_kind, kind):
    with world("stubborn-ask", compositor_kind, kind) as inside:
        before = peak(inside.agent)
        client = start(inside, "stubborn", "ask")
        client.expect("ready ordinary")
        client.send("next")
        assert client.wait_exit() != 0, client.details()
        # By the agent or, while the rate holds the rest of it back, by the bridge: whose patience
        # ends first depends on how fast they are.
        ends = "asks faster than|configures are not acked"
        until("the agent to tell", lambda: re.search(ends, inside.agent.log()))
        grown = peak(inside.agent) - before
        assert grown < 64 * MIB or programs.SANITIZED, f"{grown} KiB"


def a_crowd_of_surfaces_comes_and_goes(compositor_kind, kind):
    with world("stubborn-crowd", compositor_kind, kind) as inside:
        goes_on(inside, "crowd", "5000")


def a_region_of_many_holes_is_no_reason_to_end(compositor_kind, kind):
    with world("stubborn-lace", compositor_kind, kind) as inside:
        goes_on(inside, "lace", "600")


def an_application_whose_window_is_larger_than_can_be_counted_is_ended_alone(compositor_kind, kind):
    with world("stubborn-vast", compositor_kind, kind) as inside:
        client = start(inside, "stubborn", "vast")
        client.expect("ready ordinary")
        client.send("next")
        assert client.wait_exit() != 0, client.details()
        until("the agent to tell", lambda: "is beyond 1048576" in inside.agent.log())


def a_buffer_larger_than_the_heap_is_told_and_stays_unseen(compositor_kind, kind):
    with world("stubborn-oversize", compositor_kind, kind, heap="memfd:8M") as inside:
        client = start(inside, "stubborn", "room", "2000", "1500")
        until("the agent to tell", lambda: "is larger than the heap" in inside.agent.log())
        client.kill()


def a_full_heap_makes_a_window_wait_until_there_is_room(compositor_kind, kind):
    with world("stubborn-room", compositor_kind, kind, heap="memfd:8M") as inside:
        first = start(inside, "stubborn", "room", "1200", "1000")
        first.expect("ready shown")
        second = start(inside, "stubborn", "room", "1200", "1000")
        second.expect("committed")
        goes_on(inside, "shrunk")  # what fits goes by
        assert "ready shown" not in second.drain(), second.details()
        first.send("next")
        assert first.wait_exit() == 0, first.details()
        second.expect("ready shown")
        second.send("next")
        assert second.wait_exit() == 0, second.details()


def windows_of_several_surfaces_do_not_wait_for_each_other(compositor_kind, kind):
    with world("stubborn-pair", compositor_kind, kind, heap="memfd:8M") as inside:
        blocker = start(inside, "stubborn", "room", "1024", "512")  # 2 MiB
        blocker.expect("ready shown")
        # None of the two fits beside that, nor both without it.
        pairs = []
        for heights in (("768", "896"), ("512", "1016")):
            pairs.append(start(inside, "stubborn", "pair", "1024", *heights))
            pairs[-1].expect("committed")
        goes_on(inside, "shrunk")
        assert not any("ready shown" in pair.drain() for pair in pairs)
        blocker.send("next")
        assert blocker.wait_exit() == 0, blocker.details()
        for pair in pairs:  # in the order in which they came
            pair.expect("ready shown")
            pair.send("next")
            assert pair.wait_exit() == 0, pair.details()


def what_an_application_does_while_it_waits_for_room_unties_no_one_else(compositor_kind, kind):
    with world("stubborn-knot", compositor_kind, kind, heap="memfd:8M") as inside:
        for how in ("sync", "desync"):
            blocker = start(inside, "stubborn", "room", "1024", "1280")  # 5 MiB
            blocker.expect("ready shown")
            client = start(inside, "stubborn", "knot", how, "512", "448")  # 2 and 1.75 MiB
            client.expect("ready ordinary")
            client.send("next")
            client.expect("committed")
            goes_on(inside, "shrunk")  # who waits is tried again
            assert "ready shown" not in client.drain(), client.details()
            blocker.send("next")
            assert blocker.wait_exit() == 0, blocker.details()
            finish_knot(client)


def a_surface_that_goes_lets_the_others_of_its_frame_go_on(compositor_kind, kind):
    with world("stubborn-destroy", compositor_kind, kind, heap="memfd:8M") as inside:
        for how in ("destroy", "free"):
            client = start(inside, "stubborn", "knot", how, "200", "2100")
            client.expect("ready ordinary")
            client.send("next")
            client.expect("committed")
            finish_knot(client)


def finish_knot(client):
    for stage in ("shown", "ordinary again"):
        client.expect(f"ready {stage}")
        client.send("next")
    assert client.wait_exit() == 0, client.details()


def a_heap_that_stays_full_is_told(compositor_kind, kind):
    with world("stubborn-full", compositor_kind, kind, heap="memfd:8M") as inside:
        windows = [start(inside, "stubborn", "room", "1200", "1000") for _ in range(2)]
        until("the agent to tell",
              lambda: "the heap of 8 MiB is full: 1 surfaces wait" in inside.agent.log())
        for window in windows:
            window.kill()


TESTS = [
    a_buffer_that_shrinks_is_read_as_nothing,
    a_flood_of_requests_does_not_fill_the_agent,
    a_flood_of_commits_does_not_fill_the_agent,
    an_application_that_never_stops_asking_is_ended_alone,
    a_crowd_of_surfaces_comes_and_goes,
    a_region_of_many_holes_is_no_reason_to_end,
    an_application_whose_window_is_larger_than_can_be_counted_is_ended_alone,
    a_buffer_larger_than_the_heap_is_told_and_stays_unseen,
    a_full_heap_makes_a_window_wait_until_there_is_room,
    windows_of_several_surfaces_do_not_wait_for_each_other,
    what_an_application_does_while_it_waits_for_room_unties_no_one_else,
    a_surface_that_goes_lets_the_others_of_its_frame_go_on,
    a_heap_that_stays_full_is_told,
]


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    case.main(compositor_kind, kind, TESTS, wanted)


main()

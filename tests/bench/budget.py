"""What a frame costs in agent and bridge, as counts that must not grow: system calls, messages, copied
bytes, allocations, page faults. Times are the benchmark's, bench.py."""

import contextlib
import sys

from portaltest import programs

import paths
from calls import Calls
from processes import Usage

FRAMES = 300
SIZE = (64, 64)
BYTES = SIZE[0] * SIZE[1] * 4

# For one window; README.md names them one by one. The begin and the end of the counting may fall into
# a frame, and what is new in each frame is at least one.
AGENT_CALLS, BRIDGE_CALLS, EDGES = 15, 6, 0.5
AGENT_ALLOCATIONS = 23  # of libwayland, wlroots and pixman
MESSAGES, CHANNEL_BYTES = 7, 128  # a frame's messages, and their two frames on the channel

# Windows and guests, of one window each, that a frame must cost no more with than alone.
MANY = [(32, 1), (1, 8)]


@contextlib.contextmanager
def begin(windows, guests, **counts):
    """So many windows in each of so many guests, past the begin, and paused."""
    with paths.Portal(640, 480, SIZE, guests=guests, **counts) as setup:
        setup.start_windows(windows)
        setup.pause()
        yield setup


def count(setup, read, windows=1):
    """How much `read()` grows over FRAMES frames of each window, for each of them. Nothing is on its
    way before and after, so that counts of different places are of the same frames."""
    setup.pause()
    before, frames_before = read(), setup.report()["frames"]
    setup.resume()
    setup.await_frames(frames_before + FRAMES * windows)
    setup.pause()
    frames = setup.report()["frames"] - frames_before
    return {name: (value - before[name]) / frames for name, value in read().items()}


def check_system_calls(windows, guests):
    with begin(windows, guests) as setup:
        frames = setup.report()["frames"]
        agents, bridges = Calls(setup.carriers[0::2]), Calls(setup.carriers[1::2])
        with agents, bridges:
            setup.resume()
            setup.await_frames(frames + FRAMES * windows * guests)
            setup.pause()
        frames = setup.report()["frames"] - frames
    for calls, limit in [(agents, AGENT_CALLS), (bridges, BRIDGE_CALLS)]:
        each = calls.per_frame(frames)
        assert 0 < sum(each.values()) <= limit + EDGES, (windows, guests, each)


def system_calls_of_a_frame_are_a_handful():
    check_system_calls(1, 1)


def system_calls_of_a_frame_do_not_grow_with_windows_or_guests():
    for windows, guests in MANY:
        check_system_calls(windows, guests)


def each_damaged_pixel_is_copied_once_without_allocations_or_page_faults():
    with begin(1, 1, copies=True) as setup:

        def read():
            return {**setup.copies(), "faults": Usage(setup.carrier_pids()).minor_faults}

        grown = count(setup, read)
    assert abs(grown["agent_copied_bytes"] / BYTES - 1) <= 2 / FRAMES, grown
    assert grown["bridge_copied_bytes"] == 0, grown
    assert grown["agent_own_allocations"] == grown["bridge_own_allocations"] == 0, grown
    assert grown["bridge_allocations"] == 0, grown
    assert grown["agent_allocations"] <= AGENT_ALLOCATIONS + EDGES, grown
    assert grown["faults"] < EDGES or programs.SANITIZED, grown


def copied_bytes_of_a_frame_do_not_grow_with_windows_or_guests():
    for windows, guests in MANY:
        with begin(windows, guests, copies=True) as setup:
            grown = count(setup, setup.copies, windows * guests)
        # Messages that go together are long enough to count as a copy.
        copied = grown["agent_copied_bytes"] + grown["bridge_copied_bytes"]
        assert abs(copied - BYTES) <= CHANNEL_BYTES, (windows, guests, grown)
        assert grown["agent_own_allocations"] == grown["bridge_own_allocations"] == 0, grown


def its_own_counters_agree_with_the_outside_count():
    for hold, times in [(False, 1), (True, 2)]:
        with paths.Portal(640, 480, SIZE, hold, move=True, copies=True) as setup:
            setup.start_windows()

            def read():
                _, damaged, copied = setup.own_counts()
                return {**setup.copies(), "damaged": damaged * 4, "copied": copied * 4}

            grown = count(setup, read)
        assert grown["copied"] == grown["agent_copied_bytes"], grown
        assert abs(grown["copied"] / grown["damaged"] - times) <= 2 / FRAMES, grown


def messages_of_a_frame_are_all_there_is_on_the_channel():
    for windows, guests in [(1, 1), *MANY]:
        with begin(windows, guests, bytes=True) as setup:
            setup.count_messages()

            def read():
                return {"messages": setup.channel_messages(), "bytes": setup.channel_bytes()}

            grown = count(setup, read, windows * guests)
        assert abs(grown["messages"] - MESSAGES) <= EDGES, (windows, guests, grown)
        assert grown["bytes"] <= CHANNEL_BYTES * (1 + 2 / FRAMES), (windows, guests, grown)


TESTS = [
    system_calls_of_a_frame_are_a_handful,
    system_calls_of_a_frame_do_not_grow_with_windows_or_guests,
    each_damaged_pixel_is_copied_once_without_allocations_or_page_faults,
    copied_bytes_of_a_frame_do_not_grow_with_windows_or_guests,
    its_own_counters_agree_with_the_outside_count,
    messages_of_a_frame_are_all_there_is_on_the_channel,
]


def main():
    wanted = sys.argv[1:]
    for test in TESTS:
        if not wanted or test.__name__ in wanted:
            test()
            print(f"ok {test.__name__}", flush=True)


main()

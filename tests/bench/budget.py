"""What a frame costs in agent and bridge, as counts that must not grow: system calls, messages, copied
bytes, allocations, page faults. Times are the benchmark's, bench.py."""

import signal
import subprocess
import sys

from portaltest import programs

import paths
from processes import Usage, children

FRAMES = 300
SIZE = (64, 64)
BYTES = SIZE[0] * SIZE[1] * 4

# For one window; README.md names them one by one. The begin and the end of the counting may fall into
# a frame, and what is new in each frame is at least one.
AGENT_CALLS, BRIDGE_CALLS, EDGES = 15, 6, 0.5
AGENT_ALLOCATIONS = 23  # of libwayland, wlroots and pixman
MESSAGES = 7


class Calls:
    """The system calls of a process and its children while the context lasts."""

    def __init__(self, process):
        self.pids = children([process.pid])
        self.total = 0

    def __enter__(self):
        command = ["strace", "-f", "-c", "-U", "calls,name"]
        for pid in self.pids:
            command += ["-p", str(pid)]
        self.strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for _ in self.pids:
            self.strace.stderr.readline()  # "strace: Process N attached"
        return self

    def __exit__(self, *_):
        self.strace.send_signal(signal.SIGINT)
        self.table = self.strace.communicate()[1]
        for line in self.table.splitlines():
            words = line.split()
            if len(words) == 2 and words[1] == "total":
                self.total = int(words[0])


def count(setup, read):
    """How much `read()` grows over FRAMES frames, for each of them. Nothing is on its way before and
    after, so that counts of different places are of the same frames."""
    setup.pause()
    before, frames_before = read(), setup.report()["frames"]
    setup.resume()
    setup.await_frames(frames_before + FRAMES)
    setup.pause()
    frames = setup.report()["frames"] - frames_before
    return {name: (value - before[name]) / frames for name, value in read().items()}


def system_calls_of_a_frame_are_a_handful(windows=1):
    with paths.Portal(640, 480, SIZE) as setup:
        setup.start_generator(windows=windows)
        setup.await_frames(40 * windows)
        setup.pause()
        frames = setup.report()["frames"]
        agent, bridge = (Calls(process) for process in setup.carriers)
        with agent, bridge:
            setup.resume()
            setup.await_frames(frames + FRAMES * windows)
            setup.pause()
        frames = setup.report()["frames"] - frames
    for calls, limit in [(agent, AGENT_CALLS), (bridge, BRIDGE_CALLS)]:
        assert 0 < calls.total / frames <= limit + EDGES, f"{frames} frames\n{calls.table}"


def system_calls_of_a_frame_do_not_grow_with_windows():
    system_calls_of_a_frame_are_a_handful(windows=8)


def each_damaged_pixel_is_copied_once_without_allocations_or_page_faults():
    with paths.Portal(640, 480, SIZE, copies=True) as setup:
        setup.start_generator()
        setup.await_frames(40)
        setup.pause()

        def read():
            return {**setup.copies(), "faults": Usage(setup.carrier_pids()).minor_faults}

        grown = count(setup, read)
    assert abs(grown["agent_copied_bytes"] / BYTES - 1) <= 2 / FRAMES, grown
    assert grown["bridge_copied_bytes"] == 0, grown
    assert grown["agent_own_allocations"] == grown["bridge_own_allocations"] == 0, grown
    assert grown["bridge_allocations"] == 0, grown
    assert grown["agent_allocations"] <= AGENT_ALLOCATIONS + EDGES, grown
    assert grown["faults"] < EDGES or programs.SANITIZED, grown


def messages_of_a_frame_do_not_grow_with_windows():
    for windows in [1, 8]:
        with paths.Portal(640, 480, SIZE, bytes=True) as setup:
            setup.start_generator(windows=windows)
            setup.await_frames(40 * windows)
            setup.pause()
            setup.count_messages()
            grown = count(setup, lambda: {"messages": setup.channel_messages()})
        assert abs(grown["messages"] - MESSAGES) <= EDGES, grown


TESTS = [
    system_calls_of_a_frame_are_a_handful,
    system_calls_of_a_frame_do_not_grow_with_windows,
    each_damaged_pixel_is_copied_once_without_allocations_or_page_faults,
    messages_of_a_frame_do_not_grow_with_windows,
]


def main():
    wanted = sys.argv[1:]
    for test in TESTS:
        if not wanted or test.__name__ in wanted:
            test()
            print(f"ok {test.__name__}", flush=True)


main()

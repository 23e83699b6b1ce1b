"""Processes that have nothing to do sleep."""

import select

from .deadline import until
from .process import wakeups

SECONDS = 10  # the measured time itself


def _let_pass(seconds):
    select.select([], [], [], seconds)


def assert_nobody_wakes(pids):
    """None of the processes wakes while nothing happens, once what was begun has ended."""

    def settled():
        before = wakeups(pids)
        _let_pass(0.5)
        return wakeups(pids) == before

    until("everybody to sleep", settled)
    before = {pid: wakeups([pid]) for pid in pids}
    _let_pass(SECONDS)
    woken = {pid: wakeups([pid]) - count for pid, count in before.items()}
    assert not any(woken.values()), f"wake-ups in {SECONDS} seconds, by process: {woken}"

"""The one time limit of the tests: far longer than anything takes on a loaded machine."""

import os
import select
import time

SECONDS = float(os.environ.get("PORTAL_TEST_DEADLINE", "120"))


class Timeout(AssertionError):
    """Something that was waited for never came."""


class Deadline:
    def __init__(self, what):
        self.what = what
        self.end = time.monotonic() + SECONDS

    def wait_readable(self, fd, details=lambda: ""):
        """Returns when `fd` can be read or has hung up."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        left = self.end - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise Timeout(f"waited {SECONDS:.0f} s for {self.what}\n{details()}")


def until(what, condition, interval=0.02):
    """Waits for a condition that nothing announces (a file in /proc, say) by looking at it."""
    deadline = Deadline(what)
    pause = select.poll()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline.end:
            raise Timeout(f"waited {SECONDS:.0f} s for {what}")
        pause.poll(interval * 1000)

"""The demo passes with a virtual machine only, and says what is missing where there is none."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools", "lib"))

from portalvm import guest, wait  # noqa: E402, pylint: disable=wrong-import-position

STATE = {"agentBootId": "a" * 32, "bootId": "b" * 32, "heap": "file:/dev/shm/portal-demo"}


def refusal(**changes):
    """What is said of the state of a bridge; None where it is taken."""
    try:
        guest.check_shared({**STATE, **changes})
    except wait.Failure as failure:
        return str(failure)
    return None


assert refusal() is None
assert "knows no agent" in refusal(agentBootId="")
assert "there is no VM" in refusal(agentBootId=STATE["bootId"])
assert "not shared" in refusal(heap="memfd:")

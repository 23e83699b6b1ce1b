"""tools/demo: it passes with a virtual machine only, and says what is missing where there is none; what
it cannot do it refuses before the long steps.
"""

import os
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools", "lib"))

from portalvm import guest, wait  # noqa: E402, pylint: disable=wrong-import-position

STATE = {"agentBootId": "a" * 32, "bootId": "b" * 32, "heap": "file:/dev/shm/portal-demo"}


def refusal(**changes):
    """What is said of the state of a bridge; None where it is taken."""
    try:
        guest.check_shared({**STATE, **changes})
    except wait.Failure as failure:
        return str(failure)
    return None


def only_another_machine_is_taken():
    assert refusal() is None
    assert "knows no agent" in refusal(agentBootId="")
    assert "there is no VM" in refusal(agentBootId=STATE["bootId"])
    assert "not shared" in refusal(heap="memfd:")


def what_cannot_be_is_refused(cache):
    """And nothing is made for it."""
    for arguments, wanted in (
        (["--nothing"], "no such option: --nothing"),
        (["foot"], "no such option: foot (see --help; a command comes after --)"),
        (["--package"], "--package wants a value"),
        (["--package", "Not a package"], '"Not a package" cannot be a Debian package\'s name'),
        (["--layout", "three"], "--layout is host or siblings"),
        (["--screenshot", "/nowhere/picture.png"], "cannot write /nowhere/picture.png"),
    ):
        done = subprocess.run([os.path.join(TOP, "tools", "demo"), *arguments], text=True,
                              env=dict(os.environ, PORTAL_CACHE=cache), capture_output=True,
                              stdin=subprocess.DEVNULL, check=False)
        said = (arguments, done.returncode, done.stderr)
        assert done.returncode == 1 and wanted in done.stderr, said
        assert not os.listdir(cache), said


def a_failure_leaves_what_was_there(directory):
    """An earlier picture, or none: here there is no place for the root that everything runs in."""
    for name, content in (("earlier.png", b"a picture"), ("new.png", None)):
        path = os.path.join(directory, name)
        if content:
            with open(path, "wb") as file:
                file.write(content)
        done = subprocess.run([os.path.join(TOP, "tools", "demo"), "--screenshot", path],
                              env=dict(os.environ, PORTAL_CACHE="/dev/null/cache"),
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode != 0, done
        if content:
            with open(path, "rb") as file:
                assert file.read() == content
        else:
            assert not os.path.exists(path)


only_another_machine_is_taken()
with tempfile.TemporaryDirectory() as directory:
    what_cannot_be_is_refused(directory)
    a_failure_leaves_what_was_there(directory)

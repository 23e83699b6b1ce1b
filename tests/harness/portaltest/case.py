"""The frame of one test: a session with a compositor, ended and checked whatever happens."""

import contextlib
import os
import sys

from . import compositor as compositors
from . import programs
from .sentences import run
from .session import Session

COMPOSITORS = {"portal": compositors.Portal, "sway": compositors.Sway}


def results_directory(name):
    return os.path.join(programs.BUILD, "tests", "results", name)


@contextlib.contextmanager
def session(name, env=None):
    """A session with nothing in it yet; at the end everything is stopped and checked."""
    made = Session(name, results_directory(name))
    made.env.update(env or {})
    failed = True
    try:
        yield made
        failed = False
    except AssertionError:
        print(made.details(), file=sys.stderr)
        raise
    finally:
        made.finish(failed)


@contextlib.contextmanager
def desktop(name, kind="portal", extra="", env=None):
    """The same with one compositor in it."""
    with session(name, env) as made:
        compositor = COMPOSITORS[kind](made, extra)
        yield made, compositor
        status = compositor.stop()
        assert status == 0, f"{kind} exited with {status}\n{compositor.process.details()}"


def main(compositor_kind, guest_kind, tests, wanted):
    """The same for tests of a kind of guest in a kind of compositor."""
    run(tests, wanted, compositor_kind, guest_kind)

"""The frame of one test: a session with a compositor, ended and checked whatever happens."""

import contextlib
import os
import sys
import traceback

from . import compositor as compositors
from . import programs
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


def run(tests, wanted, *arguments):
    """Calls the functions whose names are wanted, or all of them, with the arguments; exits with 1
    when one fails. Each function's name is a sentence about Portal that holds."""
    unknown = set(wanted) - {test.__name__ for test in tests}
    assert not unknown, f"no such test: {', '.join(unknown)}"
    failures = 0
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        try:
            test(*arguments)
            print(f"ok {test.__name__}", flush=True)
        except Exception:  # every failure is shown, and the next test still runs
            failures += 1
            print(f"FAILED {test.__name__}", flush=True)
            traceback.print_exc()
    sys.exit(1 if failures else 0)


def main(compositor_kind, guest_kind, tests, wanted):
    """The same for tests of a kind of guest in a kind of compositor."""
    run(tests, wanted, compositor_kind, guest_kind)

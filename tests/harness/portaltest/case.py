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
def desktop(name, kind="portal", extra=""):
    """A session with one compositor in it; at the end everything is stopped and checked."""
    session = Session(name, results_directory(name))
    failed = True
    try:
        compositor = COMPOSITORS[kind](session, extra)
        yield session, compositor
        if compositor._input is not None:
            compositor._input.process.stop()
        status = compositor.process.stop()
        assert status == 0, f"{kind} exited with {status}\n{compositor.process.details()}"
        failed = False
    except AssertionError:
        print(session.details(), file=sys.stderr)
        raise
    finally:
        session.finish(failed)


def main(tests):
    """Runs the functions given on the command line by name, or all of them; exits with 1 when one
    fails. Every function is one sentence about Portal that holds."""
    wanted = sys.argv[1:] or list(tests)
    failures = 0
    for name in wanted:
        try:
            tests[name]()
            print(f"ok {name}", flush=True)
        except Exception:  # every failure is shown, and the next test still runs
            failures += 1
            print(f"FAILED {name}", flush=True)
            traceback.print_exc()
    sys.exit(1 if failures else 0)

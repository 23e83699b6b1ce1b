"""Tests that are functions, whose names are sentences about Portal that hold."""

import sys
import tempfile
import traceback


def run(tests, wanted, *arguments):
    """Calls the functions whose names are wanted, or all of them, with the arguments; exits with 1
    when one fails."""
    _run(tests, wanted, lambda test: test(*arguments))


def run_each(tests, wanted, prepare):
    """The same, with what prepare() makes of a directory that each of them has for itself."""
    def call(test):
        with tempfile.TemporaryDirectory() as work:
            test(prepare(work))

    _run(tests, wanted, call)


def _run(tests, wanted, call):
    unknown = set(wanted) - {test.__name__ for test in tests}
    assert not unknown, f"no such test: {', '.join(unknown)}"
    failures = 0
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        try:
            call(test)
            print(f"ok {test.__name__}", flush=True)
        except Exception:  # every failure is shown, and the next test still runs
            failures += 1
            print(f"FAILED {test.__name__}", flush=True)
            traceback.print_exc()
    sys.exit(1 if failures else 0)

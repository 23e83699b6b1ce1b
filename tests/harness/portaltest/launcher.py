"""portal-run in a session: what is asked of it, and who it left running."""

import contextlib
import fcntl
import os
import re
import signal
import sys

from . import case, programs
from .deadline import Deadline, until
from .process import strays


class Launcher:
    """portal-run in a session, with its configuration."""

    def __init__(self, session, compositor, config=""):
        self.session = session
        self.env = dict(compositor.env)
        directory = os.path.join(session.home, ".config", "portal")
        os.makedirs(directory, exist_ok=True)
        self.config = os.path.join(directory, "portal.scfg")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)

    def start(self, *arguments, program=programs.RUN, env=None):
        return self.session.start("portal-run", [program, *arguments], {**self.env, **(env or {})})

    def run(self, *arguments, **options):
        """Runs it to its end: status and process."""
        process = self.start(*arguments, **options)
        process.close_input()
        return process.wait_exit(), process

    def expect(self, status, message, *arguments, **options):
        """It ends with this status, after saying something that the expression matches."""
        got, process = self.run(*arguments, **options)
        said = "\n".join(
            line for line in process.log().splitlines() if line.startswith("portal-run: ")
        )
        assert got == status, f"status {got}, not {status}\n{process.details()}"
        assert re.search(message, said), f"no /{message}/ in what was said:\n{said}"

    def path(self, name):
        return os.path.join(self.session.runtime, "portal", name)

    def await_end(self, name="local"):
        """Waits until the keeper of a guest has ended: it holds this lock for as long as it lives."""
        with open(self.path(f"{name}.state"), "rb") as file:
            until(f"the keeper of {name} to end", lambda: self._try_lock(file))

    @staticmethod
    def _try_lock(file):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def processes(self, program):
        """Process ids of this session's processes whose command begins like this."""
        mark = f"PORTAL_TEST_SESSION={self.session.directory}"
        return [pid for pid, command in strays(mark) if re.match(program, command)]

    def kill(self, program, number=signal.SIGKILL):
        """Sends a signal to each of those processes; some end with others of them."""
        pids = self.processes(program)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def rows(self):
        """--list as {name: [domain, agent, windows, label]}."""
        status, process = self.run("--list")
        assert status == 0, process.details()
        rows = [re.split(r" {2,}", line.strip()) for line in process.lines]
        assert rows[0] == ["NAME", "DOMAIN", "AGENT", "WINDOWS", "LABEL"], rows
        return {row[0]: row[1:] for row in rows[1:]}


def launcher_test(function):
    """A test that gets a Launcher on a desktop of its own."""

    def run(compositor_kind, guest_kind):
        with case.desktop(f"launch-{function.__name__}", compositor_kind) as (session, compositor):
            launcher = Launcher(session, compositor)
            try:
                function(launcher)
            except Exception:
                print(session.details(), file=sys.stderr)
                raise

    run.__name__ = function.__name__
    return run


AGENT = r"\S*portal-agent"
BRIDGE = r"\S*portal-bridge"
KEEPER = r"\S*portal-run --keep"


class Held:
    """A program in the guest that has begun, and ends when told."""

    def __init__(self, launcher, *options, end="exit 0"):
        self.directory = os.path.join(launcher.session.directory, "held")
        os.makedirs(self.directory, exist_ok=True)
        number = len(os.listdir(self.directory))
        self.begun = self._fifo(f"begun-{number}")
        self.told = self._fifo(f"told-{number}")
        # It waits in `wait`, which misses no signal. A `read` of the shell's own goes on for ever
        # after one that came when the shell had just looked for the last time whether one had.
        # Both shells say that they have begun: one that was just made still loses a signal when it
        # gives up the traps of the other.
        script = (
            f"trap 'kill $!; {end}' TERM INT; "
            f"{{ echo reads > {self.begun[0]}; read x < {self.told[0]}; }} & "
            f"echo $$ > {self.begun[0]}; wait; exit 5"
        )
        self.run = launcher.start(*options, "local:", "--", "sh", "-c", script)

    def _fifo(self, name):
        path = os.path.join(self.directory, name)
        os.mkfifo(path)
        return path, os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def await_begin(self):
        deadline = Deadline("the program to begin")
        said = b""
        while said.count(b"\n") < 2:
            deadline.wait_readable(self.begun[1], self.run.details)
            said += os.read(self.begun[1], 64)
        (pid,) = (int(line) for line in said.split() if line != b"reads")
        return pid

    def tell(self):
        os.write(self.told[1], b"end\n")

    def close(self):
        os.close(self.begun[1])
        os.close(self.told[1])

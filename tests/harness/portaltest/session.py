"""A private session: runtime directory, environment, the processes in it, and the checks at its
end."""

import os
import re
import shutil
import tempfile

from .deadline import Deadline
from .process import Process, strays


def is_symbolizer(command):
    """A sanitizer's own helper. It ends with the program that it served, but after it."""
    return os.path.basename(command.split(" ")[0]).startswith("llvm-symbolizer")


def wait_for_end(pid):
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        Deadline(f"the end of {pid}").wait_readable(descriptor)
    finally:
        os.close(descriptor)


class Session:
    def __init__(self, name, results):
        """`results` is a directory that keeps logs and pictures of a failure."""
        self.name = name
        self.results = results
        os.makedirs(results, exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix="portal-test-")
        self.runtime = self._make("runtime")
        self.home = self._make("home")
        self.logs = self._make("logs")
        self.processes = []
        self.env = self._environment()

    def _make(self, name):
        path = os.path.join(self.directory, name)
        os.mkdir(path, 0o700)
        return path

    def _environment(self):
        kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PORTAL_TEST_DEADLINE")
        env = {key: os.environ[key] for key in kept if key in os.environ}
        sanitizer = f"log_path={self.logs}/sanitizer"
        suppressions = os.path.join(os.path.dirname(__file__), "..", "leaks.suppressions")
        env.update(
            XDG_RUNTIME_DIR=self.runtime,
            HOME=self.home,
            XDG_CONFIG_HOME=os.path.join(self.home, ".config"),
            XDG_CACHE_HOME=os.path.join(self.home, ".cache"),
            XDG_DATA_HOME=os.path.join(self.home, ".local/share"),
            # Deterministic looks.
            XCURSOR_THEME="Adwaita",
            XCURSOR_SIZE="24",
            # No GPU, no seat.
            WLR_BACKENDS="headless",
            WLR_RENDERER="pixman",
            WLR_LIBINPUT_NO_DEVICES="1",
            LIBGL_ALWAYS_SOFTWARE="1",
            # Sanitizer builds write their findings where finish() sees them.
            ASAN_OPTIONS=f"{sanitizer}:detect_leaks=1:abort_on_error=0",
            LSAN_OPTIONS=f"suppressions={os.path.realpath(suppressions)}:print_suppressions=0",
            UBSAN_OPTIONS=f"{sanitizer}:print_stacktrace=1",
            # Marks every process of this session, whoever its parent is.
            PORTAL_TEST_SESSION=self.directory,
        )
        return env

    def start(self, name, command, env=None, pass_fds=()):
        count = sum(1 for process in self.processes if process.name.split("#")[0] == name)
        process = Process(
            f"{name}#{count}" if count else name,
            command,
            {**self.env, **(env or {})},
            self.logs,
            pass_fds,
        )
        self.processes.append(process)
        return process

    def run(self, name, command, env=None):
        """Runs a command to its end, which must be a success; returns its lines."""
        process = self.start(name, command, env)
        process.close_input()
        status = process.wait_exit()
        assert status == 0, f"{name} exited with {status}\n{process.details()}"
        return process.lines

    def details(self):
        """What a failure message says of the session."""
        return "\n".join(
            [process.details() for process in self.processes] + self._sanitizer_findings()
        )

    def _sanitizer_findings(self):
        found = []
        for name in sorted(os.listdir(self.logs)):
            if name.startswith("sanitizer"):
                with open(os.path.join(self.logs, name), errors="replace") as file:
                    found.append(file.read())
        return found

    def finish(self, failed=False):
        """Ends what still runs, newest first, and checks that nothing is left: no process, no
        sanitizer finding, no file in the runtime directory. Keeps the logs of a failed test."""
        problems = []
        try:
            for process in reversed(self.processes):
                problems += self._end(process)
            for pid, command in strays(f"PORTAL_TEST_SESSION={self.directory}"):
                if is_symbolizer(command):
                    wait_for_end(pid)
                    continue
                problems.append(f"left running: {pid} {command}")
                os.kill(pid, 9)
            problems += self._sanitizer_findings()
            # Locks stay: whoever removes one may leave another behind who holds what no one sees.
            left = [
                name
                for directory, _, names in os.walk(self.runtime)
                for name in names
                if not directory.endswith("/dconf")  # an application's own affair
                and not re.fullmatch(r".*\.(users|start|state|log)", name)
            ]
            if left and not failed:
                problems.append(f"left in the runtime directory: {left}")
        finally:
            if failed or problems:
                shutil.copytree(
                    self.logs, os.path.join(self.results, self.name), dirs_exist_ok=True
                )
            shutil.rmtree(self.directory, ignore_errors=True)
        if not failed:
            assert not problems, "\n".join(problems)

    @staticmethod
    def _end(process):
        try:
            if process.alive():
                process.stop()
            return []
        except AssertionError as error:
            process.popen.kill()
            process.popen.wait()
            return [f"{process.name} did not end when asked: {error}"]
        finally:
            process.release()

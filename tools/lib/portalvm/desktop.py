"""A controller's session on this machine: `portal`, what it shows, and what is typed into it."""

import os
import subprocess
import sys
import tempfile

from . import varlink, wait
from .picture import Picture

_GET_STATE = "org.portal.Controller.GetState"
_WATCH = "org.portal.Controller.Watch"


def backend():
    """How portal will run here: ("wayland" | "x11" | "console" | "headless")."""
    if os.environ.get("WAYLAND_DISPLAY"):
        return "wayland"
    if os.environ.get("DISPLAY"):
        return "x11"
    try:
        terminal = os.ttyname(sys.stdin.fileno())
    except OSError:
        terminal = ""
    if terminal.startswith("/dev/tty") and terminal[8:].isdigit() and os.path.isdir("/dev/dri"):
        return "console"
    return "headless"


class Desktop:
    """A running portal. `env` is the environment of its clients."""

    def __init__(self, programs, config, kind, log=None):
        self._programs = programs
        self.display = "portal-demo"
        runtime = os.environ["XDG_RUNTIME_DIR"]
        os.makedirs(os.path.join(runtime, "portal"), mode=0o700, exist_ok=True)
        self._control = os.path.join(runtime, "portal", f"{self.display}.varlink")
        env = dict(os.environ)
        if kind == "headless":
            env["WLR_BACKENDS"] = "headless"
        if not os.path.isdir("/dev/dri"):
            env["WLR_RENDERER"] = "pixman"
        self.process, self.log = wait.start(
            [programs["portal"], "--config", config, "--socket", self.display], "portal", log,
            env=env,
        )
        try:
            wait.for_path(self._control, self.process)
        except wait.Failure as failure:
            self.log.join()
            text = self.log.text.decode(errors="replace")
            raise wait.Failure(f"{failure}; it said:\n{text}") from None
        self.env = dict(os.environ, WAYLAND_DISPLAY=self.display)
        self.env.pop("DISPLAY", None)

    def stop(self):
        wait.stop(self.process)

    def state(self):
        return varlink.call(self._control, _GET_STATE)["state"]

    def wait_window(self, wanted, while_runs):
        """Waits for a window for which wanted(window) is true, and returns it.

        while_runs: (process, follower) without which there will be none.
        """
        process, said = while_runs
        with wait.watched(process) as ended:
            for reply in varlink.stream(self._control, _WATCH, ended=ended):
                for window in reply["state"]["windows"]:
                    if wanted(window):
                        return window
        # The guest's bridge lives on, with the same standard error.
        said.drain()
        raise wait.Failure(
            f"{os.path.basename(process.args[0])} ended with {process.wait()} before there was a "
            f"window:\n{said.text.decode(errors='replace')}"
        )

    def picture(self):
        """What the outputs show now."""
        return Picture.from_ppm(self._grim("-t", "ppm", "-"))

    def save_picture(self, path):
        """Writes what the outputs show as a PNG."""
        self._grim(path)

    def _grim(self, *arguments):
        done = subprocess.run(["grim", *arguments], env=self.env, capture_output=True, check=False)
        if done.returncode:
            raise wait.Failure("grim: " + done.stderr.decode(errors="replace").strip())
        return done.stdout

    def wait_picture(self, wanted):
        """Takes a picture after every change of the screen until wanted(picture) is true."""
        process, changes = wait.start(
            [self._programs["test-changes"]], "test-changes", env=self.env
        )
        try:
            seen = 0
            while True:
                seen = changes.for_text(b"changed\n", seen)
                # Changes that came meanwhile are in the picture about to be taken.
                seen = max(seen, changes.text.rfind(b"\n") + 1)
                picture = self.picture()
                if wanted(picture):
                    return picture
        finally:
            wait.stop(process)

    def wait_content(self, window):
        """Waits until a window shows more than a plain colour and a cursor."""
        box = window["box"]
        area = (box["x"], box["y"], box["width"], box["height"])
        return self.wait_picture(lambda picture: len(picture.colors(*area)) > 2)

    def type(self, text):
        """Types text with a virtual keyboard."""
        done = subprocess.run(["wtype", text], env=self.env, capture_output=True, check=False)
        if done.returncode:
            raise wait.Failure("wtype: " + done.stderr.decode(errors="replace").strip())


def write_config(text):
    """Writes a portal.scfg for portal and portal-run; returns its path."""
    directory = tempfile.mkdtemp(prefix="portal-config-")
    path = os.path.join(directory, "portal.scfg")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path

"""Headless compositors with the pixman renderer, their screen, and the input given to them."""

import json
import os

from . import programs
from .deadline import Deadline
from .picture import Picture

WIDTH, HEIGHT = 1024, 768  # of the one output, pixels


class Compositor:
    """Starts a compositor in a session and waits until it accepts clients.

    Readiness is the compositor's own: it runs a start-up command, which writes the name of its
    socket into a fifo."""

    name = None
    exit_statuses = (0,)

    def __init__(self, session, extra=""):
        self.session = session
        self.extra = extra  # added to the configuration
        self._fifo = os.path.join(session.directory, "ready")
        os.mkfifo(self._fifo)
        fifo = os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK)
        try:
            self.process = session.start(self.name, self.command(), self.environment())
            fields = self._await_ready(fifo)
        finally:
            os.close(fifo)
        self.display = fields[0]
        self.fields = fields
        self.env = {"WAYLAND_DISPLAY": self.display}
        self._input = None

    def _await_ready(self, fifo):
        deadline = Deadline(f"{self.name} to be ready")
        text = b""
        while not text.endswith(b"\n"):
            if not self.process.alive():
                raise AssertionError(f"{self.name} did not start\n{self.process.details()}")
            deadline.wait_readable(fifo, self.process.details)
            text += os.read(fifo, 4096)
        return text.decode().split()

    def environment(self):
        return {}

    def write_config(self, name, text):
        path = os.path.join(self.session.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + self.extra)
        return path

    @property
    def input(self):
        """The virtual pointer and keyboard, made when first asked for."""
        if self._input is None:
            self._input = Input(self)
        return self._input

    def screenshot(self, cursor=False):
        """What the output shows, the cursor included when asked for."""
        arguments = ["grim"] + (["-c"] if cursor else []) + ["-t", "ppm", "-o", self.output]
        path = os.path.join(self.session.directory, "screenshot.ppm")
        self.session.run("grim", arguments + [path], self.env)
        with open(path, "rb") as file:
            return Picture.from_ppm(file.read())

    output = "HEADLESS-1"

    def outputs(self, *arguments):
        """Changes outputs by wlr-output-management."""
        self.session.run("wlr-randr", ["wlr-randr", *arguments], self.env)


class Sway(Compositor):
    name = "sway"

    def command(self):
        config = self.write_config(
            "sway.conf",
            f"""
output {self.output} resolution {WIDTH}x{HEIGHT} position 0 0
default_border none
default_floating_border none
focus_follows_mouse no
focus_on_window_activation none
xwayland disable
floating_modifier none
exec sh -c 'echo "$WAYLAND_DISPLAY $SWAYSOCK" > {self._fifo}'
""",
        )
        return ["sway", "-c", config]

    def message(self, *words):
        lines = self.session.run("swaymsg", ["swaymsg", "-s", self.fields[1], "-r", *words])
        return json.loads("\n".join(lines) or "null")


class Portal(Compositor):
    name = "portal"

    def command(self):
        config = self.write_config(
            "portal.scfg",
            f"""
output {self.output} {{
	mode custom {WIDTH}x{HEIGHT}
	position 0 0
}}
vm guest {{
	label "guest" "#2060c0"
}}
vm other {{
	label "other" "#c06020"
}}
""",
        )
        ready = f'echo "$WAYLAND_DISPLAY" > {self._fifo}'
        return [programs.PORTAL, "--config", config, "--startup", ready]


class Input:
    """A virtual pointer and keyboard; every command is over when the compositor has handled it."""

    LEFT, RIGHT = 272, 273

    def __init__(self, compositor):
        size = [str(WIDTH), str(HEIGHT)]
        self.process = compositor.session.start(
            "test-input", [programs.TEST_INPUT, *size], compositor.env
        )
        self.process.expect("ok")

    def send(self, line):
        self.process.send(line)
        self.process.expect("ok")

    def move(self, x, y):
        self.send(f"move {x} {y}")

    def button(self, pressed, code=LEFT):
        self.send(f"button {code} {int(pressed)}")

    def click(self, x, y, code=LEFT):
        self.move(x, y)
        self.button(True, code)
        self.button(False, code)

    def key(self, code):
        self.send(f"key {code} 1")
        self.send(f"key {code} 0")

    def type(self, text):
        self.send(f"type {text}")

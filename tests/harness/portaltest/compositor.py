"""Headless compositors with the pixman renderer, their screen, and the input given to them."""

import json
import os
import re

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
        self._windows = None

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

    @property
    def windows(self):
        """The compositor's list of windows, made when first asked for."""
        if self._windows is None:
            self._windows = Windows(self)
        return self._windows

    def stop(self):
        """Ends it, after the tools that hang on it, and returns its exit status."""
        for tool in (self._input, self._windows):
            if tool is not None:
                tool.process.stop()
        return self.process.stop()

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
default_floating_border normal 2
focus_follows_mouse no
focus_on_window_activation none
xwayland disable
floating_modifier none
for_window [app_id="portal.test.resize"] floating enable, move position 300 200
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


class Windows:
    """What the compositor says of its windows, kept up to date by its events."""

    WINDOW = re.compile(r"window (\d+) (\S+)((?: [a-z]+(?:=\d+)?)*) :(.*)")
    LABEL = r"(?:\[[^]]+\] )?"  # in front of a title, where portal shows a guest's window

    def __init__(self, compositor):
        self.open = {}  # number: (app id, set of states, title)
        self.process = compositor.session.start(
            "test-windows", [programs.TEST_WINDOWS], compositor.env
        )
        self._until("the list of windows", lambda line: line == "ok")

    def _take(self, line):
        match = self.WINDOW.fullmatch(line)
        if match:
            number, app_id, states, title = match.groups()
            self.open[int(number)] = (app_id, set(states.split()), title)
        elif line.startswith("closed "):
            self.open.pop(int(line.split()[1]), None)

    def _until(self, what, condition):
        """Takes lines in until the condition holds for one."""
        deadline = Deadline(what)
        while True:
            line = self.process.next_line(deadline)
            self._take(line)
            if condition(line):
                return

    def _find(self, app_id, title, state):
        for number, (its_id, its_states, its_title) in self.open.items():
            if re.fullmatch(app_id, its_id) and re.fullmatch(self.LABEL + f"(?:{title})", its_title):
                if state <= its_states:
                    return number
        return None

    def take_next(self):
        """Waits for one more line, whatever it says."""
        self._until("a change of the windows", lambda line: True)

    def expect(self, app_id=".*", title=".*", *state):
        """Waits until a window is like this, a label in front of its title or not, and returns its
        number."""
        found = self._find(app_id, title, set(state))
        if found is None:
            what = f"a window {app_id!r} {title!r} {state}"
            self._until(what, lambda _: self._find(app_id, title, set(state)) is not None)
            found = self._find(app_id, title, set(state))
        return found

    def expect_closed(self, number):
        if number in self.open:
            self._until(f"window {number} to close", lambda _: number not in self.open)

    def steer(self, what, number):
        self.process.send(f"{what} {number}")
        self._until(f"{what} {number}", lambda line: line == "ok")

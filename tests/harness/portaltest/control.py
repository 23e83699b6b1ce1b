"""What portal says of its outputs and windows, and what it is told to do (portalctl)."""

import json

from . import programs


class Control:
    """Watches the state through the control socket: a test waits for the state it wants and never
    for a time."""

    def __init__(self, session, compositor):
        self.session = session
        self.env = compositor.env
        self._watch = session.start("portalctl-watch", [programs.CTL, "watch"], compositor.env)
        self.state = None
        self._next()

    def _next(self):
        self.state = json.loads(self._watch.expect(r"\{.*\}").group(0))

    def until(self, condition):
        """The first state, from the newest known one on, in which the condition holds; returns
        what the condition returns."""
        while True:
            found = condition(self.state)
            if found:
                return found
            self._next()

    def window(self, condition=lambda window: True):
        """Waits for the one window that the condition is true of; a word is its title."""
        wanted = condition
        if isinstance(condition, str):
            wanted = lambda window: window["title"] == condition
        return self.until(lambda state: next(filter(wanted, state["windows"]), None))

    def now(self):
        """The state at this moment."""
        return json.loads("\n".join(self.run("state")))

    def no_windows(self):
        self.until(lambda state: not state["windows"])

    def run(self, *words):
        """portalctl WORD…, which has to succeed; returns its lines."""
        words = [str(word) for word in words]
        return self.session.run("portalctl", [programs.CTL, *words], self.env)

    def refused(self, *words):
        """The message of a portalctl that has to fail, and its exit status."""
        words = [str(word) for word in words]
        process = self.session.start("portalctl", [programs.CTL, *words], self.env)
        status = process.wait_exit()
        assert status != 0, f"portalctl {' '.join(words)} succeeded"
        return status, process.log().strip()


def box(value):
    return value["x"], value["y"], value["width"], value["height"]

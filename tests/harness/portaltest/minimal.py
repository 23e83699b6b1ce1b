"""test-minimal: a compositor of the tests that offers the least a guest can live with, and touch."""

from . import programs


class Minimal:
    """Where a guest finds as little as there can be, or a few more globals that are named."""

    def __init__(self, session, *more):
        self.session = session
        self.process = session.start("test-minimal", [programs.TEST_MINIMAL, *more])
        self.display = self.process.expect(r"display (\S+)").group(1)
        self.env = {"WAYLAND_DISPLAY": self.display}

    def send(self, line):
        """Steers it; see tests/clients/minimal.c."""
        self.process.send(line)
        self.process.expect("ok")

    def touch(self, what, finger, *point):
        point = " ".join(str(value) for value in point)
        self.send(f"{what} seat0 {finger} {point}")
        self.send("frame seat0")

    def stop(self):
        status = self.process.stop()
        assert status == 0, f"test-minimal exited with {status}\n{self.process.details()}"

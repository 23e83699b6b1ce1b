"""tools/demo as it is called, with the PNG that it writes, and what it says where nothing is to be seen.

demo.py picture|failing host|siblings
demo.py nested
"""

import os
import subprocess
import sys
import tempfile

import vmtest  # which says where the others are
import png
from portalvm import desktop, wait
from portalvm.programs import Programs

DEMO = os.path.join(vmtest.TOP, "tools", "demo")
LABEL = bytes([0xc0, 0x39, 0x2b])
SIZES = {"host": (1280, 720), "siblings": (800, 600)}


def demo(*arguments):
    """Runs tools/demo: (exit status, what it says)."""
    done = subprocess.run([DEMO, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode(errors="replace")
    print(said, flush=True)
    return done.returncode, said


def frame(picture):
    """The box around all that has the label's colour: (left, top, width, height)."""
    rows = [y for y in range(picture.height) if LABEL in picture.colors(0, y, picture.width, 1)]
    columns = [x for x in range(picture.width) if LABEL in picture.colors(x, 0, 1, picture.height)]
    if not rows:
        raise wait.Failure("nothing has the label's colour")
    return columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]


def check_picture(picture, size):
    vmtest.check((picture.width, picture.height) == size, f"it has the screen's size, {size}")
    left, top, width, height = frame(picture)
    sides = ((left, top, width, 1), (left, top + height - 1, width, 1),
             (left, top, 1, height), (left + width - 1, top, 1, height))
    vmtest.check(width > size[0] // 4 and height > size[1] // 4 and
                 all(set(picture.colors(*side)) == {LABEL} for side in sides),
                 f"a window is framed by the label's colour: {width}x{height}")
    inside = picture.colors(left + width // 20, top + 3, width // 10, height // 20)
    vmtest.check(len(inside) > 2, "the label's name is in it")
    # Half of the window is beneath its title bar, whatever font that has.
    inside = picture.colors(left, top + height // 2, width, height // 2)
    plain = max(inside, key=inside.get)
    vmtest.check(plain != LABEL, "beneath it is the window")
    all_of_it = picture.colors(left, top, width, height)
    vmtest.check(all_of_it[plain] > width * height // 2, "a terminal's, mostly plain")
    content = picture.colors(left + width // 50, top + height // 16, width // 2, height // 5)
    vmtest.check(len(content) > 2, "with text in it, not only a cursor")


def picture_is_taken(layout):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "picture.png")
        status, said = demo("--layout", layout, "--screenshot", path)
        vmtest.check(status == 0, f"tools/demo takes a picture: exit status {status}")
        vmtest.check(f"wrote {path}" in said, "and says so")
        check_picture(png.read(path), SIZES[layout])


def failures_are_told(layout):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "picture.png")
        for command, wanted, ended in (
            ("nothing-of-the-kind", "nothing-of-the-kind: no such program in vm:demo", "127"),
            ("false", "", "1"),
        ):
            status, said = demo("--layout", layout, "--screenshot", path, "--", command)
            vmtest.check(status == 1, f"{command} makes no window: exit status {status}")
            words = {"host": f"portal-run ended with {ended} before there was a window",
                     "siblings": f"session: exited: {ended}"}[layout]
            vmtest.check(wanted in said and words in said, f"which is said: {words}")
            vmtest.check(not os.path.exists(path), "and no empty picture is left")


class Keyboard:
    """test-input on a desktop: keys of an American keyboard, the layout that wlroots takes for that of
    the compositor that it is nested in."""

    def __init__(self, screen):
        program = os.path.join(vmtest.BUILD, "tests", "clients", "test-input")
        self.process = subprocess.Popen(
            [program, *map(str, SIZES["host"])], env=screen.env, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answer()

    def _answer(self):
        if self.process.stdout.readline() != "ok\n":
            raise wait.Failure("test-input ended")

    def type(self, text):
        """Types a line."""
        for line in (f"type {text}", "key 28 1", "key 28 0"):
            self.process.stdin.write(line + "\n")
            self._answer()


def runs_nested_until_its_window_closes(finish):
    config = desktop.write_config("")
    screen = desktop.Desktop(Programs(vmtest.BUILD), config, "headless")
    finish.callback(screen.stop)
    # Before whom it types for, who finds a keyboard from the beginning.
    keyboard = Keyboard(screen)
    finish.callback(wait.stop, keyboard.process)
    # In a root of its own, where the outer display has another place than here.
    process, said = wait.start([DEMO], "tools/demo", sys.stdout.buffer,
                               env=dict(screen.env, PORTAL_FORCE_ROOT="1"))
    finish.callback(wait.stop, process)
    window = screen.wait_window(lambda window: window["kind"] != "vm", (process, said))
    said.for_text(b"starting portal (wayland)")
    vmtest.check(True, f"its compositor is a window of the one it is called in: {window['title']}")
    said.for_text(b" is there; guest and controller are two machines")
    screen.wait_picture(lambda picture: LABEL in picture.colors(0, 0, picture.width, picture.height))
    keyboard.type(vmtest.LINE.strip())
    screen.wait_picture(lambda picture: vmtest.shows_bar(picture, window))
    vmtest.check(True, "what is typed into it is run in the guest")
    keyboard.type("exit 7")
    status = process.wait(wait.PATIENCE)
    vmtest.check(status == 7, f"it ends with its command, and with its exit status: {status}")


def test(finish):
    what, *layout = sys.argv[1:]
    if what == "nested":
        runs_nested_until_its_window_closes(finish)
    else:
        {"picture": picture_is_taken, "failing": failures_are_told}[what](*layout)


vmtest.run(test)

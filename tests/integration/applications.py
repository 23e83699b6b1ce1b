"""Stock applications work in a guest: their windows are there with title and content, popups open
where the click was, typing arrives.

applications.py COMPOSITOR GUEST TEST...; GUEST: native, agent or bridge.
"""

import itertools
import os
import sys

from portaltest import case, guest, scenario
from portaltest.deadline import Deadline, until

# No bus, no portals: neither has anything to do with what is shown.
GTK = {"GSK_RENDERER": "cairo", "GTK_USE_PORTAL": "0", "GTK_A11Y": "none"}
KEY_ESC, KEY_F10, KEY_CTRL, KEY_S = 1, 68, 29, 31


class Desk:
    """A compositor, a guest, and one application in it."""

    def __init__(self, session, compositor, kind):
        self.session = session
        self.compositor = compositor
        compositor.input.move(*scenario.PARK)
        self.empty = compositor.screenshot()
        self.windows = compositor.windows
        self.guest = (
            guest.Native(session, compositor)
            if kind == "native"
            else guest.KINDS[kind](session, compositor)
        )

    def start(self, *command, env=None):
        return self.guest.start(os.path.basename(command[0]), list(command), env)

    def await_content(self, process, colours=8):
        """Waits until the window shows more than a plain area; returns the picture. A frame on the
        screen has no event of its own for one who is not the client."""

        def content():
            assert process.alive(), process.details()
            shown = self.compositor.screenshot()
            box = shown.bounds(self.empty)
            return shown if box and shown.crop(*box).colours() >= colours else None

        return until(f"content of {process.name}", content)

    def await_change(self, before):
        """Waits until the screen shows something else; returns the changed box."""
        return until("a change on the screen", lambda: self.compositor.screenshot().bounds(before))

    def await_stillness(self):
        """Waits until two pictures in a row are the same."""
        last = None

        def same():
            nonlocal last
            previous, last = last, self.compositor.screenshot()
            return last if previous and previous.pixels == last.pixels else None

        return until("the screen to stand still", same, interval=0.2)

    def close(self, window, process, status=0):
        self.windows.steer("close", window)
        self.windows.expect_closed(window)
        got = process.wait_exit()
        assert got == status, f"exit status {got}\n{process.details()}"
        until("an empty screen", lambda: self.compositor.screenshot().pixels == self.empty.pixels)

    def fifo(self):
        path = os.path.join(self.session.directory, "typed")
        os.mkfifo(path)
        return path, os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def read_line(self, fd, what):
        deadline, text = Deadline(what), b""
        while not text.endswith(b"\n"):
            deadline.wait_readable(fd, self.session.details)
            text += os.read(fd, 4096)
        return text.decode()


def foot_shows_a_terminal_and_typing_arrives(desk):
    path, fd = desk.fifo()
    script = f'printf "\\033]2;ready to read\\007"; read -r line; echo "$line" > {path}; read -r _'
    foot = desk.start("foot", "-W", "60x15", "sh", "-c", script)
    desk.windows.expect("foot", "ready to read")
    desk.await_content(foot)
    before = desk.await_stillness()
    desk.compositor.input.type("Hello, Portal; 3*7=21")
    # The echo is on the screen before the line is sent.
    desk.await_change(before)
    desk.compositor.input.key(28)  # Enter
    assert desk.read_line(fd, "the typed line") == "Hello, Portal; 3*7=21\n"
    os.close(fd)
    # The shell reads on, so the window closes by the terminal's own doing.
    window = desk.windows.expect("foot")
    desk.windows.steer("close", window)
    desk.windows.expect_closed(window)
    foot.wait_exit()


def what_is_typed_before_the_keymap_changes_is_read_by_the_old_one(desk):
    """Programs such as wtype bring a keymap and take it away again right behind their last key. A
    guest that finds all of it waiting, on several connections, still has to read it in order."""
    path, fd = desk.fifo()
    script = f'printf "\\033]2;ready to read\\007"; while read -r line; do echo "$line" > {path}; done'
    foot = desk.start("foot", "-W", "60x15", "sh", "-c", script)
    desk.windows.expect("foot", "ready to read")
    desk.await_content(foot)
    device = desk.compositor.input
    for _ in range(3):
        before = desk.compositor.screenshot()
        device.type("x")
        desk.await_change(before)
        desk.guest.hold(True)
        device.type("yz")
        device.send("layout de")
        desk.compositor.screenshot()  # by now everything has been sent
        desk.guest.hold(False)
        device.send("layout us")
        device.key(28)  # Enter
        assert desk.read_line(fd, "the typed line") == "xyz\n"
    os.close(fd)
    window = desk.windows.expect("foot")
    desk.windows.steer("close", window)
    desk.windows.expect_closed(window)
    foot.wait_exit()


def foot_follows_every_size(desk):
    """The program in it is told the size of every resize, and the last is the window's."""
    path, fd = desk.fifo()
    # A shell's trap can come between its look for signals and its read, and wait there for ever.
    script = (
        "import os, signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])\n"
        f"out = open({path!r}, 'w', buffering=1)\n"
        "while True:\n"
        "    size = os.get_terminal_size(0)\n"
        "    print(size.lines, size.columns, file=out)\n"
        "    signal.sigwait([signal.SIGWINCH])\n"
    )
    foot = desk.start("foot", "-W", "40x10", sys.executable, "-c", script)
    while desk.read_line(fd, "the first size") != "10 40\n":
        pass
    window = desk.windows.expect("foot")
    desk.await_content(foot, 2)
    desk.windows.steer("maximize", window)
    rows = columns = 0
    while rows <= 20 or columns <= 80:
        rows, columns = map(int, desk.read_line(fd, "the maximised size").split())
    desk.windows.steer("restore", window)
    while desk.read_line(fd, "the size from before") != "10 40\n":
        pass
    desk.windows.steer("close", window)
    desk.windows.expect_closed(window)
    foot.wait_exit()
    os.close(fd)


def shown(program, app_id, colours=8):
    """A test that a program without further interaction shows a window with content."""

    def test(desk):
        process = desk.start(program)
        window = desk.windows.expect(app_id)
        desk.await_content(process, colours)
        desk.windows.steer("close", window)
        desk.windows.expect_closed(window)
        process.wait_exit()

    test.__name__ = program.replace("-", "_") + "_shows_its_window"
    return test


def weston_simple_shm_animates(desk):
    process = desk.start("weston-simple-shm")
    desk.windows.expect(".*", ".*")
    before = desk.await_content(process)
    for _ in range(3):
        desk.await_change(before)
        before = desk.compositor.screenshot()
    process.stop()
    until(
        "an empty screen",
        lambda: desk.compositor.screenshot().pixels == desk.empty.pixels,
    )


def weston_eventdemo_sees_the_pointer(desk):
    process = desk.start(
        "stdbuf", "-oL", "weston-eventdemo", "--log-motion", "--log-button"
    )
    desk.windows.expect(".*", "EventDemo.*")
    x, y, width, height = desk.await_content(process).bounds(desk.empty)
    desk.compositor.input.move(x + width // 2, y + height // 2)
    desk.compositor.input.click(x + width // 2 + 9, y + height // 2 + 9)
    process.expect(r"motion .*")
    process.expect(r"button .* state: pressed, .*")
    process.expect(r"button .* state: released, .*")
    process.stop()


def featherpad_saves_what_was_typed(desk):
    path = os.path.join(desk.session.home, "note.txt")
    pad = desk.start(
        "featherpad", "--standalone", path, env={"QT_QPA_PLATFORM": "wayland"}
    )
    window = desk.windows.expect("featherpad", ".*note.txt.*")
    desk.await_content(pad)
    before = desk.await_stillness()
    desk.compositor.input.type("written in a guest")
    desk.await_change(before)
    device = desk.compositor.input
    device.send(f"key {KEY_CTRL} 1")
    device.key(KEY_S)
    device.send(f"key {KEY_CTRL} 0")
    until("the saved file", lambda: os.path.exists(path) and os.path.getsize(path) > 0)
    with open(path, encoding="utf-8") as file:
        assert file.read().strip() == "written in a guest"
    desk.close(window, pad)


def featherpad_menu_opens_below_its_bar(desk):
    pad = desk.start(
        "featherpad", "--standalone", env={"QT_QPA_PLATFORM": "wayland"}
    )
    window = desk.windows.expect("featherpad")
    desk.await_content(pad)
    before = desk.await_stillness()
    # Alt+F opens the first menu of the bar: a popup at the left, below the bar.
    device = desk.compositor.input
    device.send("key 56 1")
    device.key(33)
    device.send("key 56 0")
    desk.await_change(before)
    menu = desk.await_stillness().bounds(before)
    device.key(KEY_ESC)
    until("the menu to close", lambda: not popup_differs(desk, before, menu))
    assert menu[2] > 80 and menu[3] > 100, menu
    desk.close(window, pad)


def popup_differs(desk, before, box):
    now = desk.compositor.screenshot()
    x, y, width, height = box
    # Its lower half: the bar above keeps a highlight and the text cursor blinks elsewhere.
    part = (x, y + height // 2, width, height // 2)
    return now.crop(*part).pixels != before.crop(*part).pixels


def gtk4_application_opens_its_menu_by_the_pointer(desk):
    """A click on the menu bar opens a popup that hangs where the bar's item stands."""
    demo = desk.start("gtk4-demo-application", env=GTK)
    window = desk.windows.expect("gtk4-demo-application", "Application Class")
    desk.await_content(demo, 20)
    before = desk.await_stillness()
    device = desk.compositor.input
    device.key(KEY_F10)  # lights the bar's first item: that is where it is
    desk.await_change(before)
    x, y, width, height = desk.await_stillness().bounds(before)
    device.key(KEY_ESC)
    device.click(x + width // 2, y + height // 2)

    def menu():
        box = desk.compositor.screenshot().bounds(before)
        return box if box and box[2] > 2 * width and box[3] > 2 * height else None

    box = until("the menu", menu)
    # It hangs below the item, which stays lit; a shadow may reach a little further.
    assert abs(box[0] - x) <= 20 and abs(box[1] - y) <= 20, (box, (x, y, width, height))
    device.key(KEY_ESC)
    desk.windows.steer("close", window)
    desk.windows.expect_closed(window)
    demo.wait_exit()


def gtk4_demo_shows_its_window(desk):
    demo = desk.start("gtk4-demo", env=GTK)
    window = desk.windows.expect("gtk4-demo", "GTK Demo")
    desk.await_content(demo, 100)
    desk.windows.steer("close", window)
    desk.windows.expect_closed(window)
    demo.wait_exit()


def gtk4_items_are_dragged_about(desk):
    """GTK's own demonstration: a yellow item is dropped where the pointer let it go."""
    yellow, by = 0xFFFF00, (220, 150)
    demo = desk.start("gtk4-demo", "--run=dnd", env=GTK)
    window = desk.windows.expect("gtk4-demo", "Drag-and-Drop")
    until("the items", lambda: desk.compositor.screenshot().find(yellow))
    before = desk.await_stillness()
    x, y = before.find(yellow)
    # Those below stand further to the right: this one is alone in its columns.
    assert before.crop(x, y + 60, 20, 200).find(yellow) is None
    device = desk.compositor.input
    device.move(x + 20, y + 10)
    device.button(True)
    # Of what is dragged, and of what was dropped, which GTK places a little differently.
    corner = lambda: desk.compositor.screenshot().crop(x + by[0] + 20, y + by[1] + 4, 4, 4)
    steps = itertools.cycle((0, 1))

    def follows():
        """The icon, which is what is dragged, hangs from the pointer. GTK begins a drag only when
        the pointer moves on after a frame or two."""
        device.move(x + by[0] + 20 + next(steps), y + by[1] + 10)
        return corner().count(yellow) == 16

    until("the icon at the pointer", follows)
    device.button(False)
    until("the item to go", lambda: desk.compositor.screenshot().find(yellow) != (x, y))
    device.move(*scenario.PARK)
    until("the item to be dropped", lambda: corner().count(yellow) == 16)
    desk.windows.steer("close", window)
    desk.windows.expect_closed(window)
    demo.wait_exit()


TESTS = [
    foot_shows_a_terminal_and_typing_arrives,
    what_is_typed_before_the_keymap_changes_is_read_by_the_old_one,
    foot_follows_every_size,
    weston_simple_shm_animates,
    weston_eventdemo_sees_the_pointer,
    shown("weston-subsurfaces", ".*"),
    shown("weston-transformed", ".*", 4),
    shown("weston-scaler", ".*", 4),
    shown("weston-flower", ".*"),
    shown("weston-clickdot", ".*"),
    shown("weston-stacking", ".*"),
    featherpad_saves_what_was_typed,
    featherpad_menu_opens_below_its_bar,
    gtk4_application_opens_its_menu_by_the_pointer,
    gtk4_demo_shows_its_window,
    gtk4_items_are_dragged_about,
]


def in_desk(test):
    def run(compositor_kind, kind):
        name = f"{kind}-{compositor_kind}-{test.__name__}"
        with case.desktop(name, compositor_kind) as (session, compositor):
            desk = Desk(session, compositor, kind)
            test(desk)
            desk.guest.stop()

    run.__name__ = test.__name__
    return run


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    case.main(compositor_kind, kind, [in_desk(test) for test in TESTS], wanted)


main()

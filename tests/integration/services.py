"""What portal does for bars, idle daemons and touch screens.

services.py [TEST...]
"""

import os
import re
import sys
import types

from portaltest import case, guest, programs
from portaltest.compositor import HEIGHT, WIDTH
from portaltest.control import Control, box
from portaltest.deadline import until
from portaltest.desktop import KEY_M, KEY_Q, SUPER, Desktop
from portaltest.minimal import Minimal
from portaltest.picture import Picture
from portaltest.process import is_listening

NESTED = 100  # where test-minimal puts the window that the nested portal runs in


def a_bar_lists_windows_and_steers_them():
    with case.desktop("taskbar") as parts:
        desktop = Desktop(*parts)
        windows = desktop.portal.windows
        client, window = desktop.show("states", "guest")
        other, _ = desktop.show("resize")
        # Whose it is stands first, whatever it calls itself.
        shown = re.escape(f"[{window['label']}] {window['title']}")
        number = windows.expect("portal.test.states", shown)
        second = windows.expect("portal.test.resize", ".*", "activated")
        for what, state in (("maximize", "maximized"), ("fullscreen", "fullscreen")):
            windows.steer(what, number)
            windows.expect("portal.test.states", ".*", state)
            desktop.control.window(lambda w: w["pid"] == client.pid and w[state])
        windows.steer("unfullscreen", number)
        windows.steer("restore", number)
        desktop.control.until(
            lambda s: not any(w["maximized"] or w["fullscreen"] for w in s["windows"])
        )
        windows.steer("activate", number)
        windows.expect("portal.test.states", ".*", "activated")
        windows.steer("minimize", number)
        windows.expect("portal.test.states", ".*", "minimized")
        # What is hidden has no keyboard; the next window has.
        windows.expect("portal.test.resize", ".*", "activated")
        windows.steer("unminimize", number)
        desktop.control.until(lambda s: not any(w["minimized"] for w in s["windows"]))
        windows.steer("close", second)
        windows.expect_closed(second)
        assert other.wait_exit() == 0, other.details()
        client.stop()
        windows.expect_closed(number)


def a_bar_knows_which_window_a_dialog_belongs_to():
    with case.desktop("taskbar-dialog") as parts:
        desktop = Desktop(*parts)
        windows = desktop.portal.windows
        client, _ = desktop.show("dialog", "guest")
        while len(desktop.control.now()["windows"]) < 2:
            desktop.next(client, ".*")
        until_parent = lambda: any(
            state.startswith("parent=") for _, states, _ in windows.open.values() for state in states
        )
        while not until_parent():
            windows.take_next()
        client.stop()


def a_bar_is_told_what_a_window_says_of_itself_later():
    with case.desktop("taskbar-rename") as parts:
        desktop = Desktop(*parts)
        windows = desktop.portal.windows
        client = desktop.start([programs.TEST_CLIENT, "rename"])
        client.expect("ready shown")
        first = windows.expect("portal.test.first")
        second = windows.expect("portal.test.second")
        desktop.next(client, "renamed")
        # Not the line break, nor what would turn the bar's own text around.
        assert windows.expect("portal.test.renamed", r"one line \.") == second
        desktop.control.window(lambda w: w["appId"] == "portal.test.renamed")
        desktop.next(client, "child")
        windows.expect("portal.test.renamed", ".*", f"parent={first}")
        client.stop()


def a_session_is_idle_unless_a_window_that_can_be_seen_objects():
    with case.desktop("idle-inhibit") as parts:
        desktop = Desktop(*parts)
        watcher = desktop.start([programs.TEST_CLIENT, "idle", "50"])
        watcher.expect("idle")
        desktop.input.move(10, 10)
        watcher.expect("resumed")
        watcher.expect("idle")
        client, window = desktop.show("inhibit", "guest")
        watcher.expect("resumed")
        desktop.control.run("minimize", window["id"], "on")
        watcher.expect("idle")
        desktop.control.run("minimize", window["id"], "off")
        watcher.expect("resumed")
        # Wholly covered is as good as minimised.
        cover, covering = desktop.show("damage", "other")
        desktop.control.run("fullscreen", covering["id"], "on")
        watcher.expect("idle")
        cover.stop()
        watcher.expect("resumed")
        client.stop()
        watcher.expect("idle")
        watcher.stop()


def an_output_that_was_switched_off_comes_back_with_its_windows():
    with case.desktop("power") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("damage", "guest")
        before = desktop.portal.screenshot()
        power = [programs.TEST_CLIENT, "power"]
        desktop.session.run("power", [*power, "off"], desktop.portal.env)
        desktop.control.run("place", window["id"], 30, 60)
        desktop.session.run("power", [*power, "on"], desktop.portal.env)
        x, y, _, _ = box(window["box"])
        desktop.control.run("place", window["id"], x, y)
        assert box(desktop.window(client)["box"]) == box(window["box"])
        until("the same picture as before", lambda: not before.bounds(desktop.portal.screenshot()))
        assert "Failed" not in desktop.portal.process.log(), desktop.portal.process.details()
        client.stop()


def start_bar(desktop, keyboard="none"):
    bar = desktop.start([programs.TEST_CLIENT, "layer", keyboard])
    bar.expect("ready bar")
    return bar


def menus_of_a_bar_stay_on_its_screen():
    with case.desktop("bar-menus") as parts:
        desktop = Desktop(*parts)
        bar = start_bar(desktop)
        bar.send("next")
        x, y = WIDTH - 200, HEIGHT - 40
        for _ in ("menu", "submenu"):
            # Each is told its place in its parent.
            found = bar.expect(r"popup (?:sub)?menu at (-?\d+),(-?\d+) (\d+)x(\d+)").groups()
            dx, dy, width, height = map(int, found)
            x, y = x + dx, y + dy
            assert 0 <= x and x + width <= WIDTH, (x, width)
            assert 0 <= y and y + height <= HEIGHT, (y, height)
        bar.stop()


def a_bar_takes_the_keyboard_as_far_as_it_says():
    with case.desktop("bar-keyboard", extra="focus-new always\n") as parts:
        desktop = Desktop(*parts)
        client, _ = desktop.show("events", "guest")
        desktop.control.window(lambda w: w["focused"])
        # One that wants none gets none, not even by a click.
        bar = start_bar(desktop)
        desktop.input.click(WIDTH - 20, HEIGHT - 20)
        bar.expect("pointer button 272 released")
        desktop.input.key(30)
        client.expect("keyboard key 30 released")
        assert not any(line.startswith("keyboard enter") for line in bar.drain()), bar.details()
        bar.stop()
        bar = start_bar(desktop, "on-demand")
        desktop.input.click(WIDTH - 20, HEIGHT - 20)
        bar.expect("keyboard enter bar")
        client.expect("keyboard leave window")
        desktop.control.window(lambda w: not w["focused"])
        bar.stop()
        client.expect("keyboard enter window")
        bar = start_bar(desktop, "exclusive")
        client.expect("keyboard leave window")
        # What comes now does not get what is typed there.
        other, _ = desktop.show("events", "other")
        desktop.input.key(30)
        bar.expect("keyboard key 30 released")
        bar.stop()
        other.expect("keyboard enter window")
        for one in (client, other):
            one.stop()


def keys_leave_the_window_behind_a_launcher_alone():
    with case.desktop("launcher-keys") as parts:
        desktop = Desktop(*parts)
        client, _ = desktop.show("resize", "guest")
        launcher = start_bar(desktop, "exclusive")
        desktop.control.window(lambda w: not w["focused"])
        desktop.press(SUPER, KEY_M)
        desktop.press(SUPER, KEY_Q)
        assert not desktop.control.now()["windows"][0]["maximized"]
        launcher.stop()
        desktop.control.window(lambda w: w["focused"])
        desktop.press(SUPER, KEY_M)
        desktop.control.window(lambda w: w["frame"]["width"] == WIDTH)
        client.stop()


def a_bar_is_closed_with_its_screen():
    with case.desktop("bar-output") as parts:
        desktop = Desktop(*parts)
        bar = start_bar(desktop, "exclusive")
        desktop.portal.outputs("--output", "HEADLESS-1", "--off")
        bar.expect("closed")
        bar.stop()
        # Where there is no screen at all there is no bar either.
        homeless = desktop.start([programs.TEST_CLIENT, "layer", "none"])
        homeless.expect("closed")
        assert homeless.wait_exit() == 0, homeless.details()
        desktop.portal.outputs("--output", "HEADLESS-1", "--on")
        start_bar(desktop).stop()


class TouchScreen:
    """portal nested in test-minimal, whose seat has what no headless compositor has: touch."""

    def __init__(self, session, extra="", env=None):
        self.session = session
        self.outer = Minimal(session)
        config = f"{session.directory}/portal.scfg"
        with open(config, "w", encoding="utf-8") as file:
            file.write('vm guest {\n\tlabel "guest" "#2060c0"\n}\noutput * {\n\tmode 400x300\n}\n')
            file.write(extra)
        env = {**self.outer.env, "WLR_BACKENDS": "wayland", **(env or {})}
        command = [programs.PORTAL, "--config", config, "--socket", "inner"]
        self.process = session.start("portal", command, env)
        self.portal = types.SimpleNamespace(
            session=session, process=self.process, display="inner",
            env={"WAYLAND_DISPLAY": "inner"},
        )
        socket = os.path.join(session.runtime, "portal", "inner.varlink")
        until("the nested portal's control socket", lambda: is_listening(socket))
        self.control = Control(session, self.portal)

    def touch(self, what, finger, *point):
        self.outer.touch(what, finger, *(NESTED + value for value in point))

    def drag(self, start, *points):
        self.touch("down", 0, *start)
        for point in points:
            self.touch("motion", 0, *point)
        self.touch("up", 0)

    def window(self, pid, condition=lambda window: True):
        return self.control.window(lambda w: w["pid"] == pid and condition(w))

    def show(self, feature, label=None):
        client = guest.Native(self.session, self.portal, label).start(
            "test-client", [programs.TEST_CLIENT, feature]
        )
        client.expect("ready .*")
        return client, self.window(client.pid)


def with_touch_screen(name, test, *more):
    with case.session(name) as session:
        screen = TouchScreen(session, *more)
        test(screen)
        assert screen.process.stop() == 0, screen.process.details()
        screen.outer.stop()


def fingers(screen):
    client, window = screen.show("events", "guest")
    x, y, _, _ = box(window["box"])
    screen.touch("down", 0, x + 60, y + 50)
    client.expect(r"touch down 0 window 60\.00 50\.00")
    client.expect("touch frame")
    screen.touch("down", 1, x + 170, y + 120)
    client.expect(r"touch down 1 sub 20\.00 20\.00")
    screen.touch("motion", 0, x + 70, y + 40)
    client.expect(r"touch motion 0 70\.00 40\.00")
    # A finger belongs to the surface it came down on, wherever it goes.
    screen.touch("motion", 0, x - 20, y - 10)
    client.expect(r"touch motion 0 -20\.00 -10\.00")
    screen.touch("up", 1)
    client.expect("touch up 1")
    screen.touch("up", 0)
    client.expect("touch up 0")
    screen.touch("down", 2, x + 5, y + 5)
    client.expect(r"touch down 2 window 5\.00 5\.00")
    screen.outer.send("cancel seat0")
    client.expect("touch cancel")
    client.stop()


def mapped(screen):
    screen.drag((2, 2))  # the pointer goes there, and windows open where it is
    client, window = screen.show("events", "guest")
    screen.control.run("place", window["id"], 50, 80)
    screen.window(client.pid, lambda w: box(w["box"])[:2] == (50, 80))
    screen.touch("down", 0, 110, 130)
    client.expect(r"touch down 0 window 60\.00 50\.00")
    screen.touch("up", 0)
    client.expect("touch up 0")
    client.stop()


def a_touch_screen_belongs_to_the_screen_that_it_is_mapped_to():
    # It is there before the screens are.
    extra = "input * {\n\tmap-to-output WL-2\n}\n"
    # The one whose window is in front.
    extra += "output WL-2 {\n\tposition 0 0\n}\noutput WL-1 {\n\tposition 400 0\n}\n"
    with_touch_screen("touch-mapped", mapped, extra, {"WLR_WL_OUTPUTS": "2"})


def fingers_reach_the_surface_they_came_down_on():
    with_touch_screen("touch-fingers", fingers)


def frame(screen):
    other, over = screen.show("damage")
    client, window = screen.show("resize", "guest")
    screen.control.run("focus", over["id"])
    screen.control.run("place", over["id"], 150, 150)
    x, y, width, height = box(window["box"])
    bar = (x + width // 2, y - 10)
    screen.drag(bar, (bar[0] + 10, bar[1] + 20), (bar[0] + 30, bar[1] + 40))
    moved = screen.window(client.pid, lambda w: box(w["box"]) == (x + 30, y + 40, width, height))
    assert moved["focused"], moved
    for _ in range(2):
        screen.drag((bar[0] + 30, bar[1] + 40))
    screen.window(client.pid, lambda w: w["maximized"])
    area = screen.window(client.pid, lambda w: w["frame"]["width"] == 400)["box"]
    screen.drag((area["x"] + area["width"] - 10, area["y"] - 10))
    client.expect("end")
    assert client.wait_exit() == 0
    screen.window(other.pid, lambda w: w["focused"] and w["id"] == over["id"])
    other.stop()


def cancelled(screen):
    client, window = screen.show("resize", "guest")
    x, y, width, height = box(window["box"])
    screen.touch("down", 0, x + width - 10, y - 10)  # the button that closes
    screen.outer.send("cancel seat0")
    # It is still there for the next finger, and for its program.
    bar = (x + width // 2, y - 10)
    screen.drag(bar, (bar[0] + 10, bar[1] + 20))
    screen.window(client.pid, lambda w: box(w["box"]) == (x + 10, y + 20, width, height))
    screen.control.run("maximize", window["id"], "on")
    screen.window(client.pid, lambda w: w["frame"]["width"] == 400)
    client.stop()


def a_finger_that_is_cancelled_presses_nothing():
    with_touch_screen("touch-cancel", cancelled)


def a_finger_works_title_bars_as_the_pointer_does():
    with_touch_screen("touch-frame", frame)


def menu(screen):
    client = guest.Native(screen.session, screen.portal, "guest").start(
        "test-client", [programs.TEST_CLIENT, "grab"]
    )
    client.expect("click first")
    x, y, _, _ = box(screen.window(client.pid)["box"])
    screen.drag((x + 40, y + 30))
    client.expect("ready menu")
    screen.drag((2, 2))
    client.expect("popup first done")
    assert client.drain().count("popup first done") == 1, client.details()
    client.stop()


def a_touch_beside_a_menu_dismisses_it():
    with_touch_screen("touch-menu", menu)


ICON, ICON_OFFSET = 0xF0B010, (5, 7)  # of what test-client drags


def finger_drag(screen):
    shown = lambda: picture_of(screen).find(ICON)
    client, window = screen.show("drag")
    x, y, _, _ = box(window["box"])
    screen.touch("down", 0, x + 30, y + 30)
    client.expect(r"drag enter window 30\.00 30\.00")
    until("the icon", lambda: shown() == (x + 30 + ICON_OFFSET[0], y + 30 + ICON_OFFSET[1]))
    screen.touch("motion", 0, x + 170, y + 70)
    client.expect(r"drag enter target 30\.00 30\.00")
    until("the icon", lambda: shown() == (x + 170 + ICON_OFFSET[0], y + 70 + ICON_OFFSET[1]))
    screen.touch("motion", 0, 2, 2)
    client.expect("drag leave")
    screen.touch("motion", 0, x + 160, y + 60)
    client.expect(r"drag enter target 20\.00 20\.00")
    client.expect("offer action 1")
    screen.touch("up", 0)
    client.expect("source finished")
    client.stop()
    # One that is lifted where nobody is.
    client, _ = screen.show("drag")
    screen.touch("down", 0, x + 30, y + 30)
    client.expect(r"drag enter window 30\.00 30\.00")
    screen.touch("motion", 0, 2, 2)
    client.expect("drag leave")
    screen.touch("up", 0)
    client.expect("source cancelled")
    client.stop()


def picture_of(screen):
    """What the nested portal shows."""
    path = os.path.join(screen.session.directory, "screenshot.ppm")
    screen.session.run("grim", ["grim", "-t", "ppm", path], screen.portal.env)
    with open(path, "rb") as file:
        return Picture.from_ppm(file.read())


def a_finger_drags_what_follows_it():
    with_touch_screen("touch-drag", finger_drag)


TESTS = [
    a_bar_lists_windows_and_steers_them,
    a_bar_knows_which_window_a_dialog_belongs_to,
    a_bar_is_told_what_a_window_says_of_itself_later,
    a_session_is_idle_unless_a_window_that_can_be_seen_objects,
    an_output_that_was_switched_off_comes_back_with_its_windows,
    menus_of_a_bar_stay_on_its_screen,
    a_bar_takes_the_keyboard_as_far_as_it_says,
    keys_leave_the_window_behind_a_launcher_alone,
    a_bar_is_closed_with_its_screen,
    a_touch_screen_belongs_to_the_screen_that_it_is_mapped_to,
    fingers_reach_the_surface_they_came_down_on,
    a_finger_that_is_cancelled_presses_nothing,
    a_finger_works_title_bars_as_the_pointer_does,
    a_touch_beside_a_menu_dismisses_it,
    a_finger_drags_what_follows_it,
]

case.run(TESTS, sys.argv[1:])

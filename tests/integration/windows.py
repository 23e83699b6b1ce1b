"""Windows: which has the keyboard, moving and resizing them, by mouse and by keys.

windows.py [TEST...]
"""

import os
import sys

from portaltest import case
from portaltest.compositor import HEIGHT, WIDTH
from portaltest.control import box
from portaltest.deadline import until
from portaltest.desktop import ALT, KEY_ENTER, KEY_F, KEY_Q, SUPER, TAB, Desktop


def a_new_window_does_not_interrupt_what_is_being_typed():
    with case.desktop("typing-on", extra="focus-new unless-typing 3600000\n") as parts:
        desktop = Desktop(*parts)
        proof = os.path.join(desktop.session.directory, "proof")
        foot = desktop.start(["foot", "sh"])
        desktop.control.window("foot")
        desktop.input.type(f"touch {proof}")
        client, window = desktop.show("damage", "guest")
        assert not window["focused"], window
        desktop.input.type("2; exit")
        desktop.input.key(KEY_ENTER)
        assert foot.wait_exit() == 0, foot.details()
        assert os.path.exists(proof + "2"), "not all of the command was typed into the terminal"
        desktop.control.window(lambda w: w["focused"] and w["pid"] == client.pid)
        # Enter has ended it: the next one takes the keyboard.
        other, _ = desktop.show("damage", "other")
        desktop.control.window(lambda w: w["focused"] and w["pid"] == other.pid)
        for one in (client, other):
            one.stop()


def a_dragged_border_ends_at_the_exact_size():
    with case.desktop("border-drag") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("resize", "guest")
        desktop.control.run("place", window["id"], 400, 300, 200, 150)
        desktop.control.window(lambda w: box(w["box"]) == (400, 300, 200, 150))
        drags = [  # where the border is taken, how far it goes, which box comes out
            ((601, 375), (57, 0), (400, 300, 257, 150)),
            ((500, 451), (0, 33), (400, 300, 257, 183)),
            ((398, 375), (-41, 0), (359, 300, 298, 183)),
            ((500, 271), (0, -29), (359, 271, 298, 212)),
            ((659, 485), (-20, -30), (359, 271, 278, 182)),
            ((357, 241), (-10, -15), (349, 256, 288, 197)),
        ]
        for (x, y), (dx, dy), wanted in drags:
            desktop.drag((x, y), (x + dx // 2, y + dy // 2), (x + dx, y + dy))
            desktop.control.window(lambda w: box(w["box"]) == wanted)
        client.stop()


def a_title_bar_moves_maximises_and_closes():
    with case.desktop("title-bar") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("resize", "guest")
        x, y, width, height = box(window["box"])
        desktop.drag((x + width // 2, y - 10), (x + width // 2 + 100, y - 60))
        desktop.control.window(lambda w: box(w["box"]) == (x + 100, y - 50, width, height))
        # A double click maximises and another one brings the window back.
        for wanted in (True, False):
            window = desktop.window(client)
            x, y, width, _ = box(window["box"])
            for _ in range(2):
                desktop.input.click(x + width // 2, y - 10)
            window = desktop.control.window(lambda w: w["maximized"] == wanted)
            desktop.control.window(lambda w: (w["frame"]["width"] == WIDTH) == wanted)
        x, y, width, _ = box(desktop.window(client)["box"])
        desktop.input.click(x + width - 10, y - 10)
        client.expect("end")
        assert client.wait_exit() == 0
        desktop.control.no_windows()


def a_modifier_drag_moves_and_resizes_anywhere_in_the_window():
    with case.desktop("modifier-drag") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("resize", "guest")
        x, y, width, height = box(window["box"])
        desktop.hold(SUPER)
        desktop.drag((x + 50, y + 50), (x + 80, y + 90))
        desktop.control.window(lambda w: box(w["box"]) == (x + 30, y + 40, width, height))
        x, y = x + 30, y + 40
        desktop.input.move(x + width - 20, y + height - 20)
        desktop.input.button(True, desktop.input.RIGHT)
        desktop.input.move(x + width + 5, y + height + 15)
        desktop.input.button(False, desktop.input.RIGHT)
        desktop.release(SUPER)
        wanted = (x, y, width + 25, height + 35)
        desktop.control.window(lambda w: box(w["box"]) == wanted)
        client.stop()


def keys_cycle_through_windows_and_close_them():
    with case.desktop("keys") as parts:
        desktop = Desktop(*parts)
        clients = [desktop.show("resize", "guest")[0] for _ in range(3)]
        focused = lambda n: desktop.control.window(
            lambda w: w["focused"] and w["pid"] == clients[n].pid
        )
        focused(2)
        desktop.hold(ALT)
        for wanted in (1, 0, 2, 1):
            desktop.input.key(TAB)
            focused(wanted)
        desktop.release(ALT)
        # Released at 1: that is now the most recent, and 2 the one before.
        desktop.hold(ALT)
        desktop.input.key(TAB)
        desktop.release(ALT)
        focused(2)
        desktop.hold(SUPER)
        desktop.input.key(KEY_F)
        desktop.control.window(lambda w: w["fullscreen"] and w["pid"] == clients[2].pid)
        desktop.input.key(KEY_Q)
        desktop.release(SUPER)
        assert clients[2].wait_exit() == 0
        focused(1)
        for client in clients[:2]:
            client.stop()


def a_window_is_not_left_below_a_bar_that_comes():
    with case.desktop("bar-over-window") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("resize", "guest")
        high, other = desktop.show("resize", "other")
        desktop.control.run("place", window["id"], 100, 40)
        # Half beyond the edge, where the user wanted it.
        desktop.control.run("place", other["id"], 500, 5)
        desktop.control.window(lambda w: box(w["box"])[:2] == (500, 5))
        x, y, _, _ = box(desktop.window(client)["frame"])
        desktop.start(["swaynag", "-m", "hello"])
        usable = desktop.control.until(
            lambda state: next((o for o in state["outputs"] if o["usable"]["y"] > y), None)
        )["usable"]
        desktop.control.window(
            lambda w: w["pid"] == client.pid and box(w["frame"])[:2] == (x, usable["y"])
        )
        assert box(desktop.window(high)["box"])[:2] == (500, 5)
        for one in (client, high):
            one.stop()


def a_window_that_began_maximised_is_placed_when_it_is_restored():
    with case.desktop("began-maximised") as parts:
        desktop = Desktop(*parts)
        foot = desktop.start(["foot", "-m", "sh"])
        window = desktop.control.window(lambda w: w["frame"]["width"] == WIDTH)
        desktop.control.run("maximize", window["id"], "off")
        frame = desktop.control.window(lambda w: w["frame"]["width"] < WIDTH)["frame"]
        wanted = (WIDTH - frame["width"]) // 2, (HEIGHT - frame["height"]) // 2
        x, y, _, _ = box(desktop.control.now()["windows"][0]["frame"])
        assert abs(x - wanted[0]) <= 16 and abs(y - wanted[1]) <= 16, (x, y, wanted)
        foot.stop()


def a_window_that_cannot_be_seen_is_asked_for_no_frames():
    with case.desktop("unseen") as parts:
        desktop = Desktop(*parts)
        client = desktop.start(["weston-simple-shm"], "guest", {"WAYLAND_DEBUG": "client"})
        window = desktop.control.window("simple-shm")
        cover, covering = desktop.show("damage", "other")

        def done():
            return sum("wl_callback" in l and ".done(" in l for l in client.log().split("\n"))

        def assert_drawing(drawing):
            desktop.portal.screenshot()  # the frame that was on its way is over
            before = done()
            if drawing:
                until("frames of the visible window", lambda: done() > before + 5)
                return
            for _ in range(5):
                desktop.portal.screenshot()
            assert done() == before, "a window that nobody can see went on drawing"

        assert_drawing(True)
        desktop.control.run("minimize", window["id"], "on")
        assert_drawing(False)
        desktop.control.run("minimize", window["id"], "off")
        assert_drawing(True)
        desktop.control.run("focus", covering["id"])
        desktop.control.run("fullscreen", covering["id"], "on")
        assert_drawing(False)
        desktop.control.run("fullscreen", covering["id"], "off")
        assert_drawing(True)
        for one in (client, cover):
            one.stop()


TESTS = [
    a_new_window_does_not_interrupt_what_is_being_typed,
    a_dragged_border_ends_at_the_exact_size,
    a_title_bar_moves_maximises_and_closes,
    a_modifier_drag_moves_and_resizes_anywhere_in_the_window,
    keys_cycle_through_windows_and_close_them,
    a_window_is_not_left_below_a_bar_that_comes,
    a_window_that_began_maximised_is_placed_when_it_is_restored,
    a_window_that_cannot_be_seen_is_asked_for_no_frames,
]

case.run(TESTS, sys.argv[1:])

"""Windows: which has the keyboard, moving and resizing them, by mouse and by keys.

windows.py [TEST...]
"""

import os
import sys

from portaltest import case, guest, programs
from portaltest.compositor import HEIGHT, Input, WIDTH
from portaltest.control import box
from portaltest.deadline import until
from portaltest.desktop import (
    ALT,
    BORDER,
    CTRL,
    DOWN,
    GUEST,
    KEY_ENTER,
    KEY_F,
    KEY_F4,
    KEY_H,
    KEY_J,
    KEY_M,
    KEY_Q,
    LEFT,
    OTHER,
    RIGHT,
    SHIFT,
    SUPER,
    TAB,
    UP,
    Desktop,
    is_filled,
)
from portaltest.session import wait_for_end


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


def a_program_that_was_asked_for_while_typing_gets_the_keyboard():
    extra = 'focus-new unless-typing 3600000\nbind Super+Return spawn "exec foot sh"\n'
    with case.desktop("typing-spawn", extra=extra) as parts:
        desktop = Desktop(*parts)
        client, _ = desktop.show("events", "guest")
        for typed in ("", "x"):
            desktop.control.window(lambda w: w["focused"] and w["pid"] == client.pid)
            if typed:
                desktop.input.type(typed)
            desktop.press(SUPER, KEY_ENTER)
            foot = desktop.control.window("foot")
            assert foot["focused"], foot
            desktop.control.run("close", foot["id"])
            desktop.control.until(lambda state: len(state["windows"]) == 1)
            wait_for_end(foot["pid"])  # which is not there for its window alone
        client.stop()


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


def keys_bring_a_window_to_the_front():
    with case.desktop("keys-raise") as parts:
        desktop = Desktop(*parts)
        boxes = {}
        for label, x, y in (("guest", 200, 200), ("other", 260, 240)):
            client, window = desktop.show("resize", label)
            desktop.control.run("place", window["id"], x, y, 200, 150)
            wanted = lambda w: w["pid"] == client.pid and box(w["box"]) == (x, y, 200, 150)
            boxes[label] = box(desktop.control.window(wanted)["frame"])
        # Where the frame of one lies in the other.
        x, y, width, height = boxes["guest"]
        edge = (x + width - BORDER, y + height - BORDER, BORDER, BORDER)
        x, y, _, _ = boxes["other"]
        corner = (x, y, BORDER, BORDER)
        until("the second in front", lambda: is_filled(desktop, corner, OTHER))
        assert not is_filled(desktop, edge, GUEST)
        desktop.press(ALT, TAB)
        until("the first in front", lambda: is_filled(desktop, edge, GUEST))
        assert not is_filled(desktop, corner, OTHER)
        desktop.press(ALT, TAB)
        until("the second in front again", lambda: is_filled(desktop, corner, OTHER))


def of_a_guest_and_of_here(name, test, extra=""):
    """Runs a test with a window that a label only stands for, and with one that a guest shows."""
    for real in (False, True):
        with case.desktop(f"{name}-{'guest' if real else 'here'}", extra=extra) as (session, portal):
            desktop = Desktop(session, portal)
            desktop.input.move(WIDTH - 1, HEIGHT - 1)
            inside = (guest.Bridged if real else guest.Native)(session, portal, "guest")
            client = inside.start("test-client", [programs.TEST_CLIENT, "resize"])
            client.expect("ready .*")
            window = desktop.control.window("resize")
            assert window["vm"] == "guest" and window["focused"], window
            test(desktop, client, window)
            client.stop()
            inside.stop()


def keys_change_what_a_window_takes_and_bring_it_back():
    screen, half = (0, 0, WIDTH, HEIGHT), WIDTH // 2

    def test(desktop, client, window):
        place = box(window["box"])
        is_at = lambda wanted: desktop.control.window(lambda w: box(w["box"]) == wanted)
        fills = lambda wanted: desktop.control.window(lambda w: box(w["frame"]) == wanted)

        def shows(wanted):
            """The picture, too, ends where the window does."""
            x, y, width, height = wanted
            edge = (x + width - BORDER, y + height - BORDER, BORDER, BORDER)
            until("the window to be drawn", lambda: is_filled(desktop, edge, GUEST))

        for key in (KEY_M, UP):
            desktop.press(SUPER, key)
            assert fills(screen)["maximized"]
            shows(screen)
            desktop.press(SUPER, key)
            assert not is_at(place)["maximized"]
        for key, wanted in ((LEFT, (0, 0, half, HEIGHT)), (RIGHT, (half, 0, half, HEIGHT))):
            desktop.press(SUPER, key)
            fills(wanted)
            shows(wanted)
            desktop.press(SUPER, key)
            is_at(place)
        desktop.press(SUPER, KEY_F)
        assert is_at(screen)["fullscreen"]
        desktop.press(SUPER, KEY_F)
        assert not is_at(place)["fullscreen"]
        # From one to the other and all the way back.
        desktop.press(SUPER, LEFT)
        fills((0, 0, half, HEIGHT))
        desktop.press(SUPER, KEY_M)
        fills(screen)
        desktop.press(SUPER, KEY_F)
        assert is_at(screen)["fullscreen"]
        desktop.press(SUPER, KEY_F)
        assert fills(screen)["maximized"]
        desktop.press(SUPER, KEY_M)
        is_at(place)
        desktop.press(SUPER, KEY_H)
        desktop.control.window(lambda w: w["minimized"] and not w["focused"])
        desktop.press(ALT, TAB)
        back = desktop.control.window(lambda w: w["focused"] and not w["minimized"])
        assert box(back["box"]) == place, back
        desktop.press(ALT, KEY_F4)
        client.expect("end")
        desktop.control.no_windows()

    of_a_guest_and_of_here("keys-states", test)


def keys_move_and_resize_a_window():
    def test(desktop, client, window):
        desktop.control.run("place", window["id"], 300, 200, 210, 170)
        is_at = lambda *wanted: desktop.control.window(lambda w: box(w["box"]) == wanted)
        is_at(300, 200, 210, 170)
        steps = [
            ((SUPER, SHIFT, RIGHT), (364, 200, 210, 170)),
            ((SUPER, SHIFT, DOWN), (364, 264, 210, 170)),
            ((SUPER, SHIFT, LEFT), (300, 264, 210, 170)),
            ((SUPER, SHIFT, UP), (300, 200, 210, 170)),
            ((SUPER, CTRL, RIGHT), (300, 200, 274, 170)),
            ((SUPER, CTRL, DOWN), (300, 200, 274, 234)),
            ((SUPER, CTRL, LEFT), (300, 200, 210, 234)),
            ((SUPER, CTRL, UP), (300, 200, 210, 170)),
            ((SUPER, KEY_J), (300, 207, 210, 170)),  # as the configuration says
        ]
        for keys, wanted in steps:
            desktop.press(*keys)
            is_at(*wanted)
        # Without waiting for the client in between, every step counts.
        for _ in range(5):
            desktop.press(SUPER, CTRL, RIGHT)
        is_at(300, 207, 210 + 5 * 64, 170)
        for _ in range(5):
            desktop.press(SUPER, CTRL, LEFT)
        is_at(300, 207, 210, 170)
        # The title bar stays where it can be taken by the mouse.
        top = window["box"]["y"] - window["frame"]["y"]
        for key in (UP, LEFT):
            for _ in range(12):
                desktop.press(SUPER, SHIFT, key)
        y = 207 - (207 - top) // 64 * 64
        x = next(x for x in range(300, -500, -64) if x - 64 + 210 + BORDER < 32)
        is_at(x, y, 210, 170)
        # What is maximised has no place of its own.
        desktop.press(SUPER, KEY_M)
        desktop.control.window(lambda w: w["frame"]["width"] == WIDTH)
        desktop.press(SUPER, SHIFT, RIGHT)
        desktop.press(SUPER, CTRL, LEFT)
        desktop.press(SUPER, KEY_M)
        is_at(x, y, 210, 170)

    of_a_guest_and_of_here("keys-move", test, "bind Super+j move down 7\n")


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


def a_window_that_keeps_its_size_is_placed_when_it_is_restored():
    with case.desktop("began-fullscreen") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("resize", "guest", "fullscreen")
        assert box(window["box"]) == (0, 0, WIDTH, HEIGHT), window
        desktop.press(SUPER, KEY_F)
        # The title bar can be taken, though the size stays.
        desktop.control.window(lambda w: not w["fullscreen"] and box(w["frame"])[:2] == (0, 0))
        # Once it has a place, another size is no reason for another place.
        desktop.control.run("place", window["id"], 100, 100)
        desktop.press(SUPER, CTRL, LEFT)
        moved = desktop.control.window(lambda w: w["box"]["width"] == WIDTH - 64)
        assert box(moved["box"]) == (100, 100, WIDTH - 64, HEIGHT), moved
        client.stop()


def a_window_that_was_minimised_is_shown_anew_as_one_that_can_be_seen():
    with case.desktop("remap-minimised") as parts:
        desktop = Desktop(*parts)
        client = desktop.start([programs.TEST_CLIENT, "remap"])
        client.expect("ready mapped")
        window = desktop.control.window("remap")
        desktop.control.run("minimize", window["id"], "on")
        desktop.next(client, "unmapped")
        desktop.next(client, "mapped again")
        assert not desktop.control.window("remap")["minimized"]
        client.stop()


def the_keyboard_goes_to_the_window_whose_frame_the_pointer_is_on():
    with case.desktop("focus-pointer", extra="focus pointer\n") as parts:
        desktop = Desktop(*parts)
        clients = {}
        for label, x in (("guest", 100), ("other", 500)):
            client, window = desktop.show("resize", label)
            desktop.control.run("place", window["id"], x, 200)
            desktop.control.window(lambda w: w["box"]["x"] == x)
            clients[label] = client
        focused = lambda label: desktop.control.window(
            lambda w: w["focused"] and w["pid"] == clients[label].pid
        )
        desktop.input.move(600, 250)
        focused("other")
        desktop.input.move(200, 190)
        focused("guest")
        for client in clients.values():
            client.stop()


def a_window_can_be_asked_for_another_width_alone():
    with case.desktop("place-width") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("resize", "guest")
        desktop.control.run("place", window["id"], 70, 80, 300, 0)
        desktop.control.window(lambda w: box(w["box"]) == (70, 80, 300, 150))
        desktop.control.run("place", window["id"], 70, 80, 0, 200)
        desktop.control.window(lambda w: box(w["box"]) == (70, 80, 300, 200))
        client.stop()


def a_window_that_cannot_be_seen_is_asked_for_no_frames():
    with case.desktop("unseen") as parts:
        desktop = Desktop(*parts)
        client = desktop.start(["weston-simple-shm"], "guest", {"WAYLAND_DEBUG": "client"})
        window = desktop.control.window("simple-shm")
        cover, covering = desktop.show("damage", "other")

        def done():
            return sum("wl_callback" in l and ".done(" in l for l in client.log().split("\n"))

        def assert_drawing(drawing):
            before = done()
            if drawing:
                until("frames of the visible window", lambda: done() > before + 5)
                return
            for _ in range(5):
                desktop.portal.screenshot()
            # One was on its way when the window was hidden, whenever its client reads that.
            assert done() <= before + 1, "a window that nobody can see went on drawing"

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


def press_and_pull_out(desktop, *point):
    """Another mouse presses there, and is gone before it lets go."""
    mouse = Input(desktop.portal)
    mouse.move(*point)
    mouse.button(True)
    mouse.process.close_input()
    assert mouse.process.wait_exit() == 0, mouse.process.details()


def a_mouse_that_is_pulled_out_while_it_presses_lets_go():
    with case.desktop("pulled-out") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("events", "guest")
        desktop.control.run("place", window["id"], 40, 60)
        desktop.control.window(lambda w: box(w["box"])[:2] == (40, 60))
        press_and_pull_out(desktop, 90, 110)
        client.expect("pointer button 272 released")
        desktop.input.move(500, 10)
        client.expect("pointer leave .*")
        press_and_pull_out(desktop, 90, 50)  # the title bar, by which it moves the window
        desktop.input.move(100, 120)
        client.expect("pointer enter .*")
        assert box(desktop.window(client)["box"])[:2] == (40, 60), desktop.window(client)
        client.stop()


TESTS = [
    a_new_window_does_not_interrupt_what_is_being_typed,
    a_program_that_was_asked_for_while_typing_gets_the_keyboard,
    a_dragged_border_ends_at_the_exact_size,
    a_title_bar_moves_maximises_and_closes,
    a_mouse_that_is_pulled_out_while_it_presses_lets_go,
    a_modifier_drag_moves_and_resizes_anywhere_in_the_window,
    keys_cycle_through_windows_and_close_them,
    keys_bring_a_window_to_the_front,
    keys_change_what_a_window_takes_and_bring_it_back,
    keys_move_and_resize_a_window,
    a_window_is_not_left_below_a_bar_that_comes,
    a_window_that_began_maximised_is_placed_when_it_is_restored,
    a_window_that_keeps_its_size_is_placed_when_it_is_restored,
    a_window_that_was_minimised_is_shown_anew_as_one_that_can_be_seen,
    the_keyboard_goes_to_the_window_whose_frame_the_pointer_is_on,
    a_window_can_be_asked_for_another_width_alone,
    a_window_that_cannot_be_seen_is_asked_for_no_frames,
]

case.run(TESTS, sys.argv[1:])

"""What a client may not do to the user or to another's windows: focus, pointer, cursor, session.

rules.py [TEST...]
"""

import os
import sys

from portaltest import case, programs
from portaltest.compositor import HEIGHT, WIDTH, Portal
from portaltest.control import box
from portaltest.desktop import ALT, KEY_ENTER, TAB, Desktop

CURSOR_ALLOWED, CURSOR_REFUSED = 0x12FE34, 0xFE12F3  # tests/clients/cursor.c


def open_menu(desktop, label):
    """A window whose menu has taken pointer and keyboard."""
    client = desktop.start([programs.TEST_CLIENT, "grab"], label)
    client.expect("click first")
    x, y, _, _ = box(desktop.window(client)["box"])
    desktop.input.click(x + 40, y + 30)
    client.expect("ready menu")
    return client


def a_menu_does_not_keep_the_keyboard_from_the_window_that_gets_the_focus():
    with case.desktop("menu-focus") as parts:
        desktop = Desktop(*parts)
        proof = os.path.join(desktop.session.directory, "proof")
        foot = desktop.start(["foot", "sh"])
        desktop.control.window("foot")
        client = open_menu(desktop, "guest")
        desktop.hold(ALT)
        desktop.input.key(TAB)
        desktop.release(ALT)
        desktop.control.window(lambda w: w["title"] == "foot" and w["focused"])
        client.expect("popup first done")
        desktop.input.type(f"touch {proof}; exit")
        desktop.input.key(KEY_ENTER)
        assert foot.wait_exit() == 0, foot.details()
        assert os.path.exists(proof), "what was typed went to the menu"
        client.stop()


def a_new_window_does_not_close_the_menu_of_another():
    with case.desktop("menu-new-window") as parts:
        desktop = Desktop(*parts)
        client = open_menu(desktop, "guest")
        other, window = desktop.show("damage", "other")
        assert not window["focused"], window
        # The menu still answers.
        client.send("next")
        client.expect("click second")
        x, y, _, _ = box(desktop.window(client)["box"])
        desktop.input.click(x + 30, y + 50)
        client.expect("ready submenu")
        assert not any(line.endswith("done") for line in client.drain()), client.details()
        for one in (client, other):
            one.stop()


def a_press_beside_a_menu_dismisses_it_and_reaches_nobody():
    with case.desktop("menu-press") as parts:
        desktop = Desktop(*parts)
        other, window = desktop.show("events", "other")
        desktop.control.run("place", window["id"], 20, 60)
        client = open_menu(desktop, "guest")
        other.drain()
        desktop.input.move(60, 100)
        before = len(other.drain())
        desktop.input.button(True)
        client.expect("popup first done")
        desktop.input.move(61, 100)
        desktop.input.button(False)
        # The next one is an ordinary click.
        desktop.input.click(62, 100)
        other.expect("pointer button 272 released")
        buttons = [line for line in other.drain()[before:] if "button" in line]
        assert buttons == ["pointer button 272 pressed", "pointer button 272 released"], buttons
        dones = [line for line in client.drain() if line.endswith("done")]
        assert dones == ["popup first done"], dones
        for one in (client, other):
            one.stop()


def a_popup_repositioned_before_its_initial_commit_ends_its_client_alone():
    with case.desktop("early-reposition") as parts:
        desktop = Desktop(*parts)
        bystander, window = desktop.show("damage", "other")
        for label in ("guest", None):
            client, _ = desktop.show("reposition", label)
            client.send("next")
            assert client.wait_exit() == 1, client.details()
            desktop.control.until(lambda state: len(state["windows"]) == 1)
        assert desktop.window(bystander)["id"] == window["id"]
        bystander.stop()


def a_menu_that_is_not_the_bars_ends_its_client_alone():
    with case.desktop("two-parents") as parts:
        desktop = Desktop(*parts)
        bystander, window = desktop.show("damage", "other")
        for state in ((), ("gone",)):
            client, _ = desktop.show("twiceparent", None, *state)
            client.send("next")
            assert client.wait_exit() == 1, client.details()
            assert "still there" not in client.log(), client.details()
            desktop.control.until(lambda state: len(state["windows"]) == 1)
        assert desktop.window(bystander)["id"] == window["id"]
        bystander.stop()


def no_order_of_a_clients_requests_ends_the_session():
    with case.desktop("orders") as parts:
        desktop = Desktop(*parts)
        bystander, window = desktop.show("damage", "other")
        for label in ("guest", None):
            client, _ = desktop.show("orders", label)
            client.send("next")
            client.expect("end")
            desktop.control.until(lambda state: len(state["windows"]) == 1)
        assert desktop.window(bystander)["id"] == window["id"]
        bystander.stop()


def a_guest_shows_no_cursor_far_from_where_it_points():
    for label, refused in (("guest", True), (None, False)):
        with case.desktop(f"cursor-{label}") as parts:
            desktop = Desktop(*parts)
            client = desktop.start([programs.TEST_CLIENT, "cursor-size"], label)
            client.expect("enter")
            x, y, _, _ = box(desktop.window(client)["box"])
            desktop.input.move(x + 50, y + 50)
            client.expect("ready allowed")
            count = lambda colour: desktop.portal.screenshot(cursor=True).count(colour)
            assert count(CURSOR_ALLOWED) == 128 * 128, count(CURSOR_ALLOWED)
            desktop.next(client, "too large")
            assert count(CURSOR_REFUSED) == (0 if refused else 129 * 129)
            desktop.next(client, "too far")
            assert count(CURSOR_ALLOWED) == (0 if refused else 128 * 128)
            client.stop()


def a_cursor_does_not_come_along_to_another_clients_window():
    with case.desktop("cursor-left") as parts:
        desktop = Desktop(*parts)
        # It says nothing of the pointer.
        other, window = desktop.show("damage", "other")
        desktop.control.run("place", window["id"], 20, 60)
        client = desktop.start([programs.TEST_CLIENT, "cursor-size"], "guest")
        client.expect("enter")
        x, y, _, _ = box(desktop.window(client)["box"])
        desktop.input.move(x + 50, y + 50)
        client.expect("ready allowed")
        # Across both frames at once.
        desktop.input.move(60, 100)
        assert desktop.portal.screenshot(cursor=True).count(CURSOR_ALLOWED) == 0
        for one in (client, other):
            one.stop()


def a_window_larger_than_can_be_counted_is_one_among_others():
    with case.desktop("vast") as parts:
        desktop = Desktop(*parts)
        client, _ = desktop.show("stubborn", "guest", "vast")
        desktop.next(client, "vast")
        # A new one looks for a place beside it, and it is moved and left.
        other, window = desktop.show("damage", "other")
        desktop.control.run("focus", desktop.window(client)["id"])
        desktop.control.run("place", desktop.window(client)["id"], 20, 60)
        desktop.control.run("focus", window["id"])
        desktop.next(client, "ordinary again")
        desktop.control.window(
            lambda w: w["pid"] == client.pid and box(w["box"]) == (20, 60, 300, 200)
        )
        for one in (client, other):
            one.stop()


class Verbose(Portal):
    def command(self):
        return [*super().command(), "--verbose"]


def a_windows_name_is_one_short_line_of_the_log():
    """A terminal obeys what is written to it, and whoever reads a log takes its lines for portal's."""
    with case.session("forged") as session:
        desktop = Desktop(session, Verbose(session))
        name = "x\r\n00:00:00.000 [ERROR] all is lost\x1b]0;owned\x07\u202e" + "y" * 1000
        client, _ = desktop.show("stubborn", "guest", "named", name)
        client.stop()
        desktop.control.no_windows()
        log = desktop.portal.process.log()
        assert "opened" in log and "\x1b]0" not in log and "\u202e" not in log, log
        assert not any(line.startswith("00:00:00.000 [ERROR] all") for line in log.splitlines())
        assert "y" * 60 not in log, log
        desktop.portal.stop()


def constrained(desktop, *arguments):
    """A focused window with the pointer at 50,50 in it that constrains it; with its corner."""
    client = desktop.start([programs.TEST_CLIENT, "constraint", *arguments], "guest")
    client.expect("ready window")
    x, y, _, _ = box(desktop.window(client)["box"])
    desktop.input.move(x + 50, y + 50)
    return client, x, y


def a_locked_pointer_stays_and_is_found_again_where_its_client_says():
    with case.desktop("locked") as parts:
        desktop = Desktop(*parts)
        client, _, _ = constrained(desktop, "lock", "200", "150")
        client.expect("locked")
        client.drain()
        desktop.input.send("by 30 20")
        client.expect(r"relative 30\.00 20\.00")
        desktop.next(client, "free")
        desktop.input.send("by 1 1")
        client.expect(r"pointer motion .*")
        motions = [line for line in client.drain() if line.startswith("pointer motion")]
        # Nothing moved while it was locked.
        assert motions[-1] == "pointer motion 201.00 151.00", motions
        assert not any("80.00" in line for line in motions), motions
        client.stop()


def a_locked_pointer_is_not_sent_out_of_the_visible_window():
    with case.desktop("locked-out") as parts:
        desktop = Desktop(*parts)
        # The surface is larger than the window; what is beyond it is cut off.
        client, _, _ = constrained(desktop, "lock", "250", "150", "120", "100")
        client.expect("locked")
        desktop.next(client, "free")
        desktop.input.send("by 1 1")
        client.expect(r"pointer motion 51\.00 51\.00")
        client.stop()


def a_locked_pointer_is_free_when_another_window_gets_the_keyboard():
    with case.desktop("locked-focus") as parts:
        desktop = Desktop(*parts)
        other, window = desktop.show("damage", "other")
        desktop.control.run("place", window["id"], 20, 60)
        client, _, _ = constrained(desktop, "lock")
        client.expect("locked")
        desktop.control.run("focus", window["id"])
        client.expect("unlocked")
        # Back with the keyboard, but only then.
        desktop.control.run("focus", desktop.window(client)["id"])
        client.expect("locked")
        for one in (client, other):
            one.stop()


def a_locked_pointer_is_free_while_a_launcher_has_the_keyboard():
    with case.desktop("locked-launcher") as parts:
        desktop = Desktop(*parts)
        client, _, _ = constrained(desktop, "lock")
        client.expect("locked")
        launcher = desktop.start([programs.TEST_CLIENT, "layer", "exclusive"])
        launcher.expect("ready bar")
        client.expect("unlocked")
        launcher.stop()
        client.expect("locked")
        client.stop()


def a_confined_pointer_does_not_leave_its_window():
    with case.desktop("confined") as parts:
        desktop = Desktop(*parts)
        client, _, _ = constrained(desktop, "confine")
        client.expect("confined")
        desktop.input.send(f"by {WIDTH} 0")
        client.expect(r"pointer motion (299|300)\.\d+ 50\.00")
        desktop.input.send(f"by 0 {-HEIGHT}")
        client.expect(r"pointer motion (299|300)\.\d+ 0\.00")
        assert "pointer leave window" not in client.drain(), client.details()
        desktop.next(client, "free")
        desktop.input.send(f"by {WIDTH} 0")
        client.expect("pointer leave window")
        client.stop()


def ask_for_token(desktop, label="guest"):
    """A window that was clicked, and the token that it got for it."""
    client = desktop.start([programs.TEST_CLIENT, "activation"], label)
    client.expect("ready window")
    client.send("next")
    x, y, _, _ = box(desktop.window(client)["box"])
    desktop.input.click(x + 20, y + 20)
    return client, client.expect("token (.*)").group(1)


def activate(desktop, token, *late, label="other"):
    client = desktop.start([programs.TEST_CLIENT, "activated", token, *late], label)
    client.expect("ready window")
    return client


def a_window_that_was_used_hands_the_focus_on_once():
    with case.desktop("activation", extra="focus-new never\n") as parts:
        desktop = Desktop(*parts)
        asker, token = ask_for_token(desktop)
        before = activate(desktop, token)
        desktop.control.window(lambda w: w["focused"] and w["pid"] == before.pid)
        # A token is good for one activation.
        again = activate(desktop, token, "late")
        desktop.next(again, "activated")
        assert desktop.control.now()["windows"][0]["pid"] == before.pid
        for one in (asker, before, again):
            one.stop()


def a_window_that_is_there_is_activated_by_a_token():
    with case.desktop("activation-late", extra="focus-new never\n") as parts:
        desktop = Desktop(*parts)
        asker, token = ask_for_token(desktop)
        late = activate(desktop, token, "late")
        assert not desktop.window(late)["focused"]
        desktop.next(late, "activated")
        desktop.control.window(lambda w: w["focused"] and w["pid"] == late.pid)
        for one in (asker, late):
            one.stop()


def a_window_that_the_pointer_only_crossed_earns_no_token():
    with case.desktop("activation-hover", extra="focus-new never\n") as parts:
        desktop = Desktop(*parts)
        user, window = desktop.show("damage", "other")
        desktop.control.run("place", window["id"], 20, 60)
        asker = desktop.start([programs.TEST_CLIENT, "activation", "hover"], "guest")
        asker.expect("ready window")
        asker.send("next")
        x, y, _, _ = box(desktop.window(asker)["box"])
        desktop.input.move(x + 20, y + 20)
        token = asker.expect("token (.*)").group(1)
        thief = activate(desktop, token, "late", label="guest")
        desktop.next(thief, "activated")
        assert desktop.control.now()["windows"][0]["pid"] == user.pid
        for one in (user, asker, thief):
            one.stop()


def a_token_does_not_take_the_keyboard_from_what_is_being_typed():
    with case.desktop("activation-typing", extra="focus-new unless-typing 3600000\n") as parts:
        desktop = Desktop(*parts)
        asker, token = ask_for_token(desktop)
        late = activate(desktop, token, "late", label="guest")
        proof = os.path.join(desktop.session.directory, "proof")
        foot = desktop.start(["foot", "sh"])
        desktop.control.window(lambda w: w["title"] == "foot" and w["focused"])
        desktop.input.type(f"touch {proof}")
        desktop.next(late, "activated")
        desktop.input.type("2; exit")
        desktop.input.key(KEY_ENTER)
        assert foot.wait_exit() == 0, foot.details()
        assert os.path.exists(proof + "2"), "not all was typed into the terminal"
        for one in (asker, late):
            one.stop()


TESTS = [
    a_menu_does_not_keep_the_keyboard_from_the_window_that_gets_the_focus,
    a_new_window_does_not_close_the_menu_of_another,
    a_press_beside_a_menu_dismisses_it_and_reaches_nobody,
    a_popup_repositioned_before_its_initial_commit_ends_its_client_alone,
    a_menu_that_is_not_the_bars_ends_its_client_alone,
    no_order_of_a_clients_requests_ends_the_session,
    a_guest_shows_no_cursor_far_from_where_it_points,
    a_cursor_does_not_come_along_to_another_clients_window,
    a_window_larger_than_can_be_counted_is_one_among_others,
    a_windows_name_is_one_short_line_of_the_log,
    a_locked_pointer_stays_and_is_found_again_where_its_client_says,
    a_locked_pointer_is_not_sent_out_of_the_visible_window,
    a_locked_pointer_is_free_when_another_window_gets_the_keyboard,
    a_locked_pointer_is_free_while_a_launcher_has_the_keyboard,
    a_confined_pointer_does_not_leave_its_window,
    a_window_that_was_used_hands_the_focus_on_once,
    a_window_that_is_there_is_activated_by_a_token,
    a_window_that_the_pointer_only_crossed_earns_no_token,
    a_token_does_not_take_the_keyboard_from_what_is_being_typed,
]

case.run(TESTS, sys.argv[1:])

"""Copying, pasting and dragging between the programs of one guest, and that nothing of it leaves the
guest.

selection.py GUEST [TEST...]; GUEST: native, agent or bridge.
"""

import contextlib
import re
import sys

from portaltest import case, guest, programs, scenario
from portaltest.deadline import until
from portaltest.desktop import Desktop

TYPES = "text/plain;charset=utf-8 text/plain"
NOTHING = "text/plain;charset=utf-8 0 811c9dc5"  # what an empty file's hash is
ICON, ICON_SIZE, ICON_OFFSET = 0xF0B010, 24, (5, 7)
LARGE = 3_000_001  # bytes; a pipe takes 65536
BOTH = ([], ["primary"])  # the clipboard's and the primary selection


class Desk:
    """A desktop with one guest, or with programs of this machine in its place."""

    def __init__(self, session, portal, kind):
        self.desktop = Desktop(session, portal)
        self.portal = portal
        self.input = portal.input
        self.input.move(*scenario.PARK)
        self.guest = self.add(kind)

    def add(self, kind, name="guest"):
        if kind == "native":
            return guest.Native(self.desktop.session, self.portal)
        return guest.KINDS[kind](self.desktop.session, self.portal, name)

    def start(self, *arguments, inside=None):
        inside = inside or self.guest
        return inside.start("test-client", [programs.TEST_CLIENT, *arguments])

    def focus(self, title):
        self.desktop.control.run("focus", self.desktop.control.window(title)["id"])
        self.desktop.control.window(lambda w: w["title"] == title and w["focused"])

    def copy(self, *arguments, inside=None):
        client = self.start("copy", *arguments, inside=inside)
        client.expect("ready copied")
        return client

    def paste(self, *arguments, offered=TYPES, inside=None):
        """A new window gets the keyboard, and with it the selection."""
        client = self.start("paste", *arguments, inside=inside)
        client.expect_all("ready paste", "offered " + re.escape(offered))
        return client

    def drag(self, *arguments):
        """A client that drags, and where its window is."""
        client = self.start("drag", *arguments)
        client.expect("ready drag")
        return client, self.portal.screenshot().find(scenario.MARK)

    def press(self, client, x, y):
        self.input.move(x + 30, y + 30)
        client.expect(r"pointer enter window 30\.00 30\.00")
        self.input.button(True)
        client.expect("pointer leave window")

    def begin(self, client, x, y):
        """The drag begins at 30,30 of the window."""
        self.press(client, x, y)
        client.expect(r"drag enter window 30\.00 30\.00")

    def has_icon(self):
        return self.portal.screenshot().find(ICON) is not None


@contextlib.contextmanager
def desk(name, kind):
    with case.desktop(f"selection-{name}-{kind}") as parts:
        made = Desk(*parts, kind)
        yield made
        made.guest.stop()


def end(*clients):
    for client in clients:
        client.close_input()
        client.expect("end")
        assert client.wait_exit() == 0, client.details()


def assert_pasted(copier, paster):
    paster.send("next")
    sent = copier.expect("sent (.*)").group(1)
    paster.expect("pasted " + re.escape(sent))
    return sent


def a_text_is_copied_and_pasted(kind):
    for kind_of_selection in BOTH:
        with desk("text", kind) as here:
            copier = here.copy(*kind_of_selection)
            paster = here.paste(*kind_of_selection)
            assert assert_pasted(copier, paster).split()[1] == "23"
            # The other selection is another matter.
            other = here.paste(*([] if kind_of_selection else ["primary"]), offered="none")
            end(other, paster, copier)


def what_is_larger_than_a_pipe_is_pasted_whole(kind):
    for kind_of_selection in BOTH:
        with desk("large", kind) as here:
            copier = here.copy(*kind_of_selection, str(LARGE))
            paster = here.paste(*kind_of_selection)
            for _ in range(2):
                assert assert_pasted(copier, paster).split()[1] == str(LARGE)
                paster.expect("ready paste")
            end(paster, copier)


def whoever_copies_last_is_pasted_from(kind):
    for kind_of_selection in BOTH:
        with desk("last", kind) as here:
            first = here.copy(*kind_of_selection, "10")
            second = here.copy(*kind_of_selection, "20")
            first.expect("cancelled")
            paster = here.paste(*kind_of_selection)
            assert assert_pasted(second, paster).split()[1] == "20"
            end(paster, second, first)


def an_offer_whose_source_died_ends(kind):
    for kind_of_selection in BOTH:
        with desk("died", kind) as here:
            copier = here.copy(*kind_of_selection, "silent")
            paster = here.paste(*kind_of_selection)
            paster.send("next")
            copier.expect("asked .*")
            paster.expect("reading")
            copier.kill()
            paster.expect("pasted " + re.escape(NOTHING))
            paster.expect("offered none")
            paster.send("next")
            paster.expect("pasted none")
            end(paster)


def an_offer_that_was_replaced_gives_nothing(kind):
    for kind_of_selection in BOTH:
        with desk("stale", kind) as here:
            copier = here.copy(*kind_of_selection)
            paster = here.paste(*kind_of_selection, "stale")
            assert_pasted(copier, paster)
            paster.expect("ready paste")
            here.focus("copy")
            copier.send("next")
            copier.expect_all("cancelled", "ready copied")
            here.focus("paste")
            paster.expect("offered " + re.escape(TYPES))
            paster.send("next")
            paster.expect("pasted " + re.escape(NOTHING))
            end(paster, copier)


def one_that_dies_while_it_pastes_harms_nobody(kind):
    with desk("pasting", kind) as here:
        copier = here.copy(str(LARGE))
        paster = here.paste()
        paster.send("next")
        paster.expect("reading")
        paster.kill()
        copier.expect("sent .*")
        again = here.paste()
        assert_pasted(copier, again)
        end(again, copier)


def a_drag_shows_its_icon_and_is_dropped(kind):
    """Also at the same places, and with the same words, as natively."""
    logs = []
    for one in ("native", kind):
        with desk("drop", one) as here:
            client, (x, y) = here.drag()
            here.begin(client, x, y)
            here.input.move(x + 60, y + 50)
            client.expect(r"drag motion 60\.00 50\.00")
            here.input.move(x + 170, y + 70)
            client.expect(r"drag enter target 30\.00 30\.00")
            place = (x + 170 + ICON_OFFSET[0], y + 70 + ICON_OFFSET[1])
            until("the icon", lambda: here.portal.screenshot().find(ICON) == place)
            assert here.portal.screenshot().count(ICON) == ICON_SIZE**2
            client.expect("offer action 1")
            here.input.move(x + 219, y + 60)
            client.expect(r"drag motion 79\.00 20\.00")
            place = (place[0] + 49, place[1] - 10)
            until("the icon to follow", lambda: here.portal.screenshot().find(ICON) == place)
            # It sticks out of the window, which is as large as before.
            box = here.desktop.control.now()["windows"][0]["box"]
            assert (box["width"], box["height"]) == (240, 160), box
            here.input.button(False)
            # The pointer is where it is, without having to be moved.
            client.expect_all("source finished", r"pointer enter target 79\.00 20\.00")
            assert not here.has_icon()
            here.input.button(True)
            client.expect("pointer button 272 pressed")
            here.input.button(False)
            client.expect("pointer button 272 released")
            end(client)
            assert "offer got what was dragged" in client.lines, client.details()
            logs.append(scenario.Run(None, client, None).log())
    groups = ("drag", "offer", "source")
    scenario.assert_same_logs(*({group: log[group] for group in groups} for log in logs))


def assert_usable(here, client, x, y):
    """The pointer is back in the window, and another drag can begin."""
    here.input.move(x + 20, y + 20)
    client.expect(r"pointer (enter window|motion) 20\.00 20\.00")
    here.input.button(True)
    client.expect("pointer button 272 pressed")
    here.input.button(False)
    client.expect("pointer button 272 released")


def a_drag_that_leaves_its_window_is_cancelled(kind):
    with desk("outside", kind) as here:
        client, (x, y) = here.drag()
        here.begin(client, x, y)
        here.input.move(x - 60, y + 30)
        client.expect("drag leave")
        here.input.button(False)
        client.expect("source cancelled")
        assert not here.has_icon()
        assert_usable(here, client, x, y)
        end(client)
        assert "drag drop" not in client.lines, client.details()


def a_drag_that_comes_back_is_dropped(kind):
    with desk("back", kind) as here:
        client, (x, y) = here.drag()
        here.begin(client, x, y)
        here.input.move(x - 60, y + 30)
        client.expect("drag leave")
        here.input.move(x + 50, y + 50)
        client.expect(r"drag enter window 50\.00 50\.00")
        client.expect("offer action 1")
        here.input.button(False)
        client.expect("source finished")
        end(client)


def what_nobody_takes_is_cancelled(kind):
    with desk("refused", kind) as here:
        client, (x, y) = here.drag("refuse")
        here.begin(client, x, y)
        here.input.move(x + 170, y + 70)
        client.expect(r"drag enter target 30\.00 30\.00")
        here.input.button(False)
        client.expect("source cancelled")
        assert not here.has_icon()
        assert_usable(here, client, x, y)
        end(client)
        assert "drag drop" not in client.lines, client.details()


def a_drag_whose_source_is_destroyed_ends(kind):
    with desk("destroyed", kind) as here:
        client, (x, y) = here.drag()
        here.begin(client, x, y)
        until("the icon", here.has_icon)
        client.send("next")
        client.expect("drag leave")
        client.expect("ready source destroyed")
        until("the icon to go", lambda: not here.has_icon())
        here.input.button(False)
        assert_usable(here, client, x, y)
        end(client)
        assert "source cancelled" not in client.lines, client.details()


def one_that_dies_while_it_drags_harms_nobody(kind):
    for arguments in ([], ["internal"]):
        with desk("dragging", kind) as here:
            client, (x, y) = here.drag(*arguments)
            here.press(client, x, y)
            until("the icon", here.has_icon)
            client.kill()
            here.desktop.control.no_windows()
            here.input.button(False)
            here.input.move(*scenario.PARK)
            again, (x, y) = here.drag()
            here.begin(again, x, y)
            again.expect("offer action 1")
            here.input.button(False)
            again.expect("source finished")
            end(again)


def a_drag_inside_of_one_program_needs_no_source(kind):
    with desk("internal", kind) as here:
        client, (x, y) = here.drag("internal")
        here.press(client, x, y)
        here.input.move(x + 40, y + 40)
        # wlroots tells motion of such a drag, but no enter.
        client.expect(r"drag motion 40\.00 40\.00")
        here.input.move(x + 170, y + 70)
        client.expect("drag leave")
        client.expect(r"drag motion 30\.00 30\.00")
        here.input.button(False)
        client.expect("drag leave")
        client.expect(r"pointer enter target 30\.00 30\.00")
        assert_usable(here, client, x, y)
        end(client)


def a_drag_ends_with_the_controller(kind):
    with desk("controller", kind) as here:
        client, (x, y) = here.drag()
        here.begin(client, x, y)
        here.guest.kill_bridge()
        client.expect("source cancelled")
        here.input.button(False)
        here.desktop.control.no_windows()
        here.guest.start_bridge()
        here.desktop.control.window("drag")
        x, y = until("the window", lambda: here.portal.screenshot().find(scenario.MARK))
        assert not here.has_icon()
        assert_usable(here, client, x, y)
        end(client)


def a_selection_outlives_the_controller(kind):
    for kind_of_selection in BOTH:
        with desk("outlives", kind) as here:
            copier = here.copy(*kind_of_selection)
            here.guest.kill_bridge()
            here.desktop.control.no_windows()
            here.guest.start_bridge()
            here.desktop.control.window("copy")
            paster = here.paste(*kind_of_selection)
            assert_pasted(copier, paster)
            end(paster, copier)


def what_is_copied_in_a_guest_stays_there(kind):
    for kind_of_selection in BOTH:
        with desk("apart", kind) as here:
            other, native = here.add(kind, "other"), here.add("native")
            copier = here.copy(*kind_of_selection)
            paster = here.paste(*kind_of_selection)
            strangers = [
                here.paste(*kind_of_selection, offered="none", inside=inside)
                for inside in (other, native)
            ]
            for stranger in strangers:
                stranger.send("next")
                stranger.expect("pasted none")
            # The other way round: what this machine's programs copy is no guest's.
            copied = here.copy(*kind_of_selection, "10", inside=native)
            stranger = here.paste(*kind_of_selection, offered="none", inside=other)
            assert assert_pasted(copier, paster).split()[1] == "23"
            end(stranger, copied, *strangers, paster, copier)
            other.stop()


def one_without_a_window_copies_and_pastes(kind):
    """wl-clipboard, in the guest, and at the same time in another one and on this machine."""
    with desk("tools", kind) as here:
        places = [here.guest, here.add(kind, "other"), here.add("native")]
        for primary in ([], ["--primary"]):

            def pasted(inside):
                process = inside.start("wl-paste", ["wl-paste", *primary])
                process.close_input()
                return process.wait_exit(), process.lines

            copiers = []
            for number, inside in enumerate(places):
                for other in places[number:]:
                    assert pasted(other)[0] == 1, f"{other} has what was copied elsewhere"
                text = f"copied by {number}"
                copiers.append(
                    inside.start("wl-copy", ["wl-copy", "--foreground", *primary, text])
                )
                until(f"{text!r} to be pasted", lambda: pasted(inside) == (0, [text]))
            for copier in copiers:
                copier.stop()
        places[1].stop()


def what_is_dragged_over_a_guest_is_not_seen_there(kind):
    with desk("over", kind) as here:
        watcher = here.paste(offered="none")
        client = here.start("drag", inside=here.add("native"))
        client.expect("ready drag")
        box = here.desktop.control.window("drag")["box"]
        here.begin(client, box["x"], box["y"])
        here.desktop.control.run("place", here.desktop.control.window("paste")["id"], 700, 500)
        place = here.desktop.control.window(
            lambda w: w["title"] == "paste" and w["box"]["x"] == 700
        )["box"]
        here.input.move(place["x"] + 100, place["y"] + 80)
        client.expect("drag leave")
        here.input.button(False)
        client.expect("source cancelled")
        end(client, watcher)
        assert not [line for line in watcher.lines if line.startswith("drag")], watcher.details()


EVERYWHERE = [
    a_text_is_copied_and_pasted,
    what_is_larger_than_a_pipe_is_pasted_whole,
    whoever_copies_last_is_pasted_from,
    an_offer_whose_source_died_ends,
    an_offer_that_was_replaced_gives_nothing,
    one_that_dies_while_it_pastes_harms_nobody,
    a_drag_shows_its_icon_and_is_dropped,
    a_drag_that_leaves_its_window_is_cancelled,
    a_drag_that_comes_back_is_dropped,
    what_nobody_takes_is_cancelled,
    a_drag_whose_source_is_destroyed_ends,
    one_that_dies_while_it_drags_harms_nobody,
    a_drag_inside_of_one_program_needs_no_source,
]
OF_A_GUEST = [
    a_drag_ends_with_the_controller,
    a_selection_outlives_the_controller,
    what_is_copied_in_a_guest_stays_there,
    one_without_a_window_copies_and_pastes,
    what_is_dragged_over_a_guest_is_not_seen_there,
]


def main():
    kind, *wanted = sys.argv[1:]
    tests = EVERYWHERE + (OF_A_GUEST if kind == "bridge" else [])
    case.run(tests, wanted, kind)


main()

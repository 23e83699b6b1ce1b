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
        client = self.start("drag", *arguments)
        client.expect("ready drag")
        return Drag(self, client, self.portal.screenshot().find(scenario.MARK))

    def has_icon(self):
        return self.portal.screenshot().find(ICON) is not None

    def await_no_icon(self):
        """The client hears of a drag's end from its guest's agent, the controller by another way."""
        until("the icon to go", lambda: not self.has_icon())


class Drag:
    """A client that drags. Places are those in its window, whose corner is at `corner`."""

    def __init__(self, here, client, corner):
        self.here = here
        self.client = client
        self.corner = corner
        self.expect = client.expect

    def at(self, x, y):
        return self.corner[0] + x, self.corner[1] + y

    def move(self, x, y):
        self.here.input.move(*self.at(x, y))

    def press(self):
        self.move(30, 30)
        self.expect(r"pointer enter window 30\.00 30\.00")
        self.here.input.button(True)
        self.expect("pointer leave window")
        return self

    def begin(self):
        """At 30,30 of the window."""
        self.press().expect(r"drag enter window 30\.00 30\.00")
        return self

    def drop(self, *expected):
        self.here.input.button(False)
        if expected:
            self.client.expect_all(*expected)

    def click(self):
        self.here.input.button(True)
        self.expect("pointer button 272 pressed")
        self.here.input.button(False)
        self.expect("pointer button 272 released")

    def assert_usable(self):
        """The pointer is back in the window, and another drag can begin."""
        self.move(20, 20)
        self.expect(r"pointer (enter window|motion) 20\.00 20\.00")
        self.click()

    def assert_said(self, line, said=True):
        assert (line in self.client.lines) == said, self.client.details()


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
            drag = here.drag().begin()
            drag.move(60, 50)
            drag.expect(r"drag motion 60\.00 50\.00")
            drag.move(170, 70)
            drag.expect(r"drag enter target 30\.00 30\.00")
            place = drag.at(170 + ICON_OFFSET[0], 70 + ICON_OFFSET[1])
            until("the icon", lambda: here.portal.screenshot().find(ICON) == place)
            assert here.portal.screenshot().count(ICON) == ICON_SIZE**2
            drag.expect("offer action 1")
            drag.move(219, 60)
            drag.expect(r"drag motion 79\.00 20\.00")
            place = (place[0] + 49, place[1] - 10)
            until("the icon to follow", lambda: here.portal.screenshot().find(ICON) == place)
            # It sticks out of the window, which is as large as before.
            box = here.desktop.control.now()["windows"][0]["box"]
            assert (box["width"], box["height"]) == (240, 160), box
            # The pointer is where it is, without having to be moved.
            drag.drop("source finished", r"pointer enter target 79\.00 20\.00")
            here.await_no_icon()
            drag.click()
            end(drag.client)
            drag.assert_said("offer got what was dragged")
            logs.append(scenario.Run(None, drag.client, None).log())
    groups = ("drag", "offer", "source")
    scenario.assert_same_logs(*({group: log[group] for group in groups} for log in logs))


def a_drag_that_leaves_its_window_is_cancelled(kind):
    with desk("outside", kind) as here:
        drag = here.drag().begin()
        drag.move(-60, 30)
        drag.expect("drag leave")
        drag.drop("source cancelled")
        here.await_no_icon()
        drag.assert_usable()
        end(drag.client)
        drag.assert_said("drag drop", False)


def a_drag_that_comes_back_is_dropped(kind):
    with desk("back", kind) as here:
        drag = here.drag().begin()
        drag.move(-60, 30)
        drag.expect("drag leave")
        drag.move(50, 50)
        drag.expect(r"drag enter window 50\.00 50\.00")
        drag.expect("offer action 1")
        drag.drop("source finished")
        end(drag.client)


def what_nobody_takes_is_cancelled(kind):
    with desk("refused", kind) as here:
        drag = here.drag("refuse").begin()
        drag.move(170, 70)
        drag.expect(r"drag enter target 30\.00 30\.00")
        drag.drop("source cancelled")
        here.await_no_icon()
        drag.assert_usable()
        end(drag.client)
        drag.assert_said("drag drop", False)


def a_drag_whose_source_is_destroyed_ends(kind):
    with desk("destroyed", kind) as here:
        drag = here.drag().begin()
        until("the icon", here.has_icon)
        drag.client.send("next")
        drag.expect("drag leave")
        drag.expect("ready source destroyed")
        here.await_no_icon()
        drag.drop()
        drag.assert_usable()
        end(drag.client)
        drag.assert_said("source cancelled", False)


def one_that_dies_while_it_drags_harms_nobody(kind):
    for arguments in ([], ["internal"]):
        with desk("dragging", kind) as here:
            drag = here.drag(*arguments).press()
            until("the icon", here.has_icon)
            drag.client.kill()
            here.desktop.control.no_windows()
            drag.drop()
            here.input.move(*scenario.PARK)
            again = here.drag().begin()
            again.expect("offer action 1")
            again.drop("source finished")
            end(again.client)


def a_drag_inside_of_one_program_needs_no_source(kind):
    with desk("internal", kind) as here:
        drag = here.drag("internal").press()
        drag.move(40, 40)
        # wlroots tells motion of such a drag, but no enter.
        drag.expect(r"drag motion 40\.00 40\.00")
        drag.move(170, 70)
        drag.expect("drag leave")
        drag.expect(r"drag motion 30\.00 30\.00")
        drag.drop()
        drag.expect("drag leave")
        drag.expect(r"pointer enter target 30\.00 30\.00")
        drag.assert_usable()
        end(drag.client)


def a_drag_ends_with_the_controller(kind):
    with desk("controller", kind) as here:
        drag = here.drag().begin()
        here.guest.kill_bridge()
        drag.expect("source cancelled")
        drag.drop()
        here.desktop.control.no_windows()
        here.guest.start_bridge()
        here.desktop.control.window("drag")
        drag.corner = until("the window", lambda: here.portal.screenshot().find(scenario.MARK))
        assert not here.has_icon()
        drag.assert_usable()
        end(drag.client)


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
        drag = Drag(here, client, (box["x"], box["y"])).begin()
        here.desktop.control.run("place", here.desktop.control.window("paste")["id"], 700, 500)
        place = here.desktop.control.window(
            lambda w: w["title"] == "paste" and w["box"]["x"] == 700
        )["box"]
        here.input.move(place["x"] + 100, place["y"] + 80)
        drag.expect("drag leave")
        drag.drop("source cancelled")
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

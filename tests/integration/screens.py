"""Screens, and what stands on them besides windows.

screens.py [TEST...]
"""

import sys

from portaltest import case, programs
from portaltest.compositor import HEIGHT, WIDTH
from portaltest.control import box
from portaltest.deadline import until
from portaltest.desktop import (
    BACKGROUND,
    BORDER,
    GUEST,
    RIGHT,
    SHIFT,
    SUPER,
    Desktop,
    assert_filled,
    is_filled,
    sides,
)


def a_wallpaper_and_a_bar_have_their_places():
    with case.desktop("layers") as parts:
        desktop = Desktop(*parts)
        desktop.input.move(5, HEIGHT // 2)
        desktop.start(["swaybg", "-c", "#102030"])
        # Nobody tells when a layer surface is there: the next frames are looked at.
        shown = lambda: desktop.portal.screenshot().count(0x102030) == WIDTH * HEIGHT
        until("the wallpaper to be shown", shown)
        desktop.start(["swaynag", "-m", "hello"])
        usable = desktop.control.until(
            lambda state: next((o for o in state["outputs"] if o["usable"]["y"] > 0), None)
        )["usable"]
        assert usable["y"] + usable["height"] == HEIGHT, usable
        client, window = desktop.show("resize", "guest")
        desktop.control.run("maximize", window["id"], "on")
        desktop.control.window(lambda w: box(w["frame"]) == box(usable))
        desktop.control.run("fullscreen", window["id"], "on")
        desktop.control.window(lambda w: box(w["box"]) == (0, 0, WIDTH, HEIGHT))
        client.stop()


def windows_of_an_output_that_goes_move_to_another():
    extra = f"output HEADLESS-2 {{\n\tmode custom 800x600\n\tposition {WIDTH} 0\n\tscale 1\n}}\n"
    with case.desktop("outputs", extra=extra, env={"WLR_HEADLESS_OUTPUTS": "2"}) as parts:
        desktop = Desktop(*parts)
        second = desktop.control.until(
            lambda state: next((o for o in state["outputs"] if o["name"] == "HEADLESS-2"), None)
        )
        assert box(second["box"]) == (WIDTH, 0, 800, 600), second
        client, window = desktop.show("resize", "guest")
        desktop.control.run("place", window["id"], WIDTH + 300, 200)
        desktop.control.window(lambda w: w["output"] == "HEADLESS-2")
        maximized, other = desktop.show("resize", "guest")
        desktop.control.run("place", other["id"], WIDTH + 10, 50)
        desktop.control.run("maximize", other["id"], "on")
        desktop.control.window(lambda w: w["frame"]["width"] == 800)
        desktop.portal.outputs("--output", "HEADLESS-2", "--off")
        desktop.control.until(
            lambda state: all(w["output"] == "HEADLESS-1" for w in state["windows"])
        )
        window = desktop.window(client)["frame"]
        assert 0 <= window["x"] and window["x"] + window["width"] <= WIDTH, window
        desktop.control.window(lambda w: w["frame"]["width"] == WIDTH)
        for one in (client, maximized):
            one.stop()


def two_outputs(name):
    """The second is right of the first."""
    extra = f"output HEADLESS-2 {{\n\tmode custom 800x600\n\tposition {WIDTH} 0\n}}\n"
    return case.desktop(name, extra=extra, env={"WLR_HEADLESS_OUTPUTS": "2"})


def a_window_that_has_left_an_output_does_not_care_when_that_goes():
    with two_outputs("left-output") as parts:
        desktop = Desktop(*parts)
        desktop.input.send(f"by {WIDTH + 100} 100")
        client, window = desktop.show("resize", "guest")
        assert window["output"] == "HEADLESS-2", window
        place = box(window["box"])
        # It has been somewhere else before as well, in another size.
        desktop.control.run("maximize", window["id"], "on")
        desktop.control.window(lambda w: w["frame"]["width"] == 800)
        desktop.control.run("maximize", window["id"], "off")
        desktop.control.window(lambda w: box(w["box"]) == place)
        desktop.control.run("place", window["id"], 120, 90, 333, 222)
        desktop.control.window(lambda w: box(w["box"]) == (120, 90, 333, 222))
        desktop.portal.outputs("--output", "HEADLESS-2", "--off")
        desktop.control.until(lambda state: sum(o["enabled"] for o in state["outputs"]) == 1)
        # Whatever it is asked for is asked for by now: this comes after it.
        desktop.control.run("place", window["id"], 121, 90)
        moved = desktop.control.window(lambda w: w["box"]["x"] == 121)
        desktop.control.run("maximize", window["id"], "on")
        desktop.control.window(lambda w: w["frame"]["width"] == WIDTH)
        assert box(moved["box"]) == (121, 90, 333, 222), moved
        client.stop()


def a_maximised_window_is_restored_where_it_can_be_seen():
    with two_outputs("restored") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("resize", "guest")
        desktop.control.run("place", window["id"], WIDTH + 300, 200)
        desktop.control.window(lambda w: w["output"] == "HEADLESS-2")
        for state in ("maximize", "fullscreen"):
            desktop.control.run(state, window["id"], "on")
            desktop.control.window(lambda w: w["frame"]["width"] == 800)
        desktop.portal.outputs("--output", "HEADLESS-2", "--off")
        desktop.control.window(lambda w: box(w["frame"]) == (0, 0, WIDTH, HEIGHT))
        for state in ("fullscreen", "maximize"):
            desktop.control.run(state, window["id"], "off")
        back = desktop.control.window(lambda w: w["box"]["width"] == window["box"]["width"])
        frame = back["frame"]
        title_bar = window["box"]["y"] - window["frame"]["y"]
        assert frame["x"] + frame["width"] <= WIDTH, frame
        assert frame["y"] == 200 - title_bar, frame
        client.stop()


def a_window_that_is_maximised_before_its_first_picture_stays_on_its_output():
    with two_outputs("late-maximised") as parts:
        desktop = Desktop(*parts)
        desktop.input.send(f"by {WIDTH + 100} 100")
        client, window = desktop.show("resize", "guest", "late")
        assert box(window["frame"]) == (WIDTH, 0, 800, 600), window
        client.stop()


def a_window_that_comes_to_a_screen_is_over_the_fullscreen_one_there():
    with two_outputs("onto-fullscreen") as parts:
        desktop = Desktop(*parts)
        desktop.input.move(5, 5)
        full, window = desktop.show("resize", "other")
        desktop.control.run("place", window["id"], WIDTH + 300, 200)
        desktop.control.run("fullscreen", window["id"], "on")
        desktop.control.window(lambda w: box(w["box"]) == (WIDTH, 0, 800, 600))
        client, window = desktop.show("resize", "guest")
        x, y, width, height = box(window["box"])
        desktop.portal.output = "HEADLESS-2"
        in_front = lambda at: until(
            "the window in front", lambda: is_filled(desktop, (*at, 20, BORDER), GUEST)
        )
        for how in ("keys", "mouse"):
            desktop.control.run("place", window["id"], x, y)
            desktop.control.window(lambda w: w["id"] == window["id"] and w["box"]["x"] == x)
            desktop.control.run("focus", desktop.window(full)["id"])
            # To be used brings it over what is on its own screen alone.
            desktop.control.run("focus", window["id"])
            desktop.control.window(lambda w: w["id"] == window["id"] and w["focused"])
            if how == "keys":
                while desktop.window(client)["output"] == "HEADLESS-1":
                    was = desktop.window(client)["box"]["x"]
                    desktop.press(SUPER, SHIFT, RIGHT)
                    desktop.control.window(lambda w: w["pid"] == client.pid and w["box"]["x"] > was)
            else:
                desktop.input.move(0, 0)
                desktop.input.send(f"by {x + 20} {y - 10}")
                desktop.input.button(True)
                desktop.input.send(f"by {WIDTH - x + 100} 0")
                desktop.input.button(False)
            moved = desktop.control.window(
                lambda w: w["pid"] == client.pid and w["output"] == "HEADLESS-2"
            )
            # Its right end is on that screen in any case.
            in_front((moved["box"]["x"] + width - 20 - WIDTH, y + height))
        for one in (client, full):
            one.stop()


def a_dialog_opens_on_the_output_of_its_window():
    with two_outputs("dialog-output") as parts:
        desktop = Desktop(*parts)
        desktop.input.move(5, 5)
        client = desktop.start([programs.TEST_CLIENT, "dialog"])
        client.expect("ready with parent")
        dialog = desktop.control.window("dialog")
        desktop.control.run("place", dialog["id"], WIDTH + 300, 200)
        desktop.control.window(lambda w: w["title"] == "dialog" and w["output"] == "HEADLESS-2")
        desktop.next(client, "grandchild")
        another = desktop.control.window("another")
        assert box(another["box"]) == (WIDTH + 340, 215, 80, 60), another
        client.stop()


def windows_outlive_the_only_output():
    with case.desktop("no-output") as parts:
        desktop = Desktop(*parts)
        floating, window = desktop.show("resize", "guest")
        maximized, other = desktop.show("resize", "guest")
        desktop.control.run("maximize", other["id"], "on")
        desktop.control.window(lambda w: w["frame"]["width"] == WIDTH)
        place = box(desktop.window(floating)["box"])
        desktop.portal.outputs("--output", "HEADLESS-1", "--off")
        desktop.control.until(lambda state: not state["outputs"][0]["enabled"])
        desktop.portal.outputs("--output", "HEADLESS-1", "--on", "--custom-mode", "800x600")
        desktop.control.window(
            lambda w: w["id"] == other["id"] and box(w["frame"]) == (0, 0, 800, 600)
        )
        assert box(desktop.control.now()["windows"][1]["box"])[2:] == place[2:]
        for one in (floating, maximized):
            one.stop()


def the_scale_of_an_output_comes_from_the_configuration():
    extra = "output HEADLESS-1 {\n\tscale 2\n}\n"
    with case.desktop("scale", extra=extra) as parts:
        desktop = Desktop(*parts)
        output = desktop.control.state["outputs"][0]
        assert output["scale"] == 2, output
        assert box(output["box"]) == (0, 0, WIDTH // 2, HEIGHT // 2), output
        client, window = desktop.show("damage", "guest")
        x, y, width, height = box(window["frame"])
        picture = desktop.portal.screenshot()
        for side in sides((x * 2, y * 2, width * 2, height * 2), BORDER * 2):
            assert_filled(picture, side, GUEST)
        client.stop()


def a_fractional_scale_leaves_no_line_black():
    extra = "output HEADLESS-1 {\n\tscale 1.5\n}\n"
    with case.desktop("fractional-scale", extra=extra) as parts:
        desktop = Desktop(*parts)
        # The width is 682 logical pixels and two thirds of one.
        assert desktop.control.state["outputs"][0]["box"]["width"] == 682
        # Not at the top: grim scales, and blends its first row with nothing.
        assert_filled(desktop.portal.screenshot(), (8, 8, WIDTH - 8, HEIGHT - 8), BACKGROUND)


TESTS = [
    a_wallpaper_and_a_bar_have_their_places,
    windows_of_an_output_that_goes_move_to_another,
    a_window_that_has_left_an_output_does_not_care_when_that_goes,
    a_maximised_window_is_restored_where_it_can_be_seen,
    a_window_that_is_maximised_before_its_first_picture_stays_on_its_output,
    a_window_that_comes_to_a_screen_is_over_the_fullscreen_one_there,
    a_dialog_opens_on_the_output_of_its_window,
    windows_outlive_the_only_output,
    the_scale_of_an_output_comes_from_the_configuration,
    a_fractional_scale_leaves_no_line_black,
]

case.run(TESTS, sys.argv[1:])

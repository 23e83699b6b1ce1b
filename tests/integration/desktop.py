"""What portal is as a desktop: labels, focus, moving and resizing, bars, outputs, configuration.

desktop.py [TEST...]
"""

import glob
import json
import os
import select
import signal
import struct
import sys

from portaltest import case, programs
from portaltest.compositor import HEIGHT, WIDTH, Portal
from portaltest.control import box
from portaltest.deadline import until
from portaltest.desktop import (
    ALT,
    BACKGROUND,
    BORDER,
    FULLSCREEN_BORDER,
    GUEST,
    KEY_ENTER,
    KEY_F,
    KEY_Q,
    LOCAL,
    OTHER,
    POPUP_BORDER,
    SUPER,
    TAB,
    UNKNOWN,
    Desktop,
    assert_filled,
    assert_nothing_outside,
    is_filled,
    sides,
)


def a_window_carries_the_label_of_its_vm():
    with case.desktop("labels") as parts:
        desktop = Desktop(*parts)
        expected = {"guest": ("vm", "guest", GUEST), "other": ("vm", "other", OTHER)}
        expected["nobody"] = ("unknown-vm", "no label: nobody", UNKNOWN)
        expected["local"] = ("vm", "local", LOCAL)
        expected[None] = ("local", None, LOCAL)
        for label, (kind, text, colour) in expected.items():
            client, window = desktop.show("damage", label)
            assert (window["kind"], window["label"]) == (kind, text), window
            assert window["vm"] == label, window
            assert window["color"] == f"#{colour:06x}", window
            picture = desktop.portal.screenshot()
            for side in sides(box(window["frame"]), BORDER):
                assert_filled(picture, side, colour)
            client.stop()
            desktop.control.no_windows()


def a_fullscreen_window_keeps_a_line_of_its_label():
    with case.desktop("fullscreen-label") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("states", "guest")
        desktop.control.run("fullscreen", window["id"], "on")
        desktop.control.window(lambda w: w["fullscreen"])
        picture = desktop.portal.screenshot()
        for side in sides((0, 0, WIDTH, HEIGHT), FULLSCREEN_BORDER):
            assert_filled(picture, side, GUEST)
        client.stop()


def nothing_of_a_guest_is_drawn_outside_of_its_frame():
    with case.desktop("inside-frame") as parts:
        desktop = Desktop(*parts)
        desktop.input.move(WIDTH - 1, HEIGHT - 1)
        for feature in ("geometry", "subsurfaces", "nested"):
            client, window = desktop.show(feature, "guest")
            for _ in range(3):
                frames = [box(window["frame"]) for window in desktop.control.now()["windows"]]
                assert_nothing_outside(desktop.portal.screenshot(), frames)
                client.send("next")
                if client.expect(r"(ready|end).*").group(1) == "end":
                    break
            client.stop()
            desktop.control.no_windows()


def a_popup_of_a_guest_is_bordered_wherever_it_is():
    with case.desktop("popup-label") as parts:
        desktop = Desktop(*parts)
        desktop.input.move(WIDTH - 1, HEIGHT - 1)
        client, window = desktop.show("popups", "guest")
        before = desktop.portal.screenshot()
        while True:
            client.send("next")
            stage = client.expect(r"ready (.*)").group(1)
            if stage == "nested":
                break
            after = desktop.portal.screenshot()
            area = before.bounds(after)
            # On the border of its own window the popup's border has the same colour.
            x, y, width, height = area
            left = after.crop(x, y, 1, height).count(GUEST)
            right = after.crop(x + width - 1, y, 1, height).count(GUEST)
            top = after.crop(x, y, width, 1).count(GUEST)
            bottom = after.crop(x, y + height - 1, width, 1).count(GUEST)
            assert (left, right, top, bottom) == (height, height, width, width), (
                f"{stage}: of {area} only {left}, {right}, {top}, {bottom} are bordered"
            )
        client.stop()


def a_guest_cannot_leave_its_frame_nor_take_what_is_typed():
    with case.desktop("intrude") as parts:
        desktop = Desktop(*parts)
        desktop.input.move(WIDTH - 1, HEIGHT - 1)
        client, window = desktop.show("intrude", "guest")

        def next_stage(name):
            client.send("next")
            client.expect(f"ready {name}")
            frame = box(desktop.control.now()["windows"][0]["frame"])
            return frame, desktop.portal.screenshot()

        frame, picture = next_stage("beyond")
        assert_nothing_outside(picture, [frame])
        (x, y, width, height), picture = next_stage("huge")
        assert x + width > WIDTH and y + height > HEIGHT, (x, y, width, height)
        assert_filled(picture, (x, y, WIDTH - x, BORDER), GUEST)
        assert_filled(picture, (x, y, BORDER, HEIGHT - y), GUEST)
        _, picture = next_stage("over everything")
        for side in sides((0, 0, WIDTH, HEIGHT), POPUP_BORDER):
            assert_filled(picture, side, GUEST)
        # The menu that it opens by itself has no effect on what has the keyboard.
        proof = os.path.join(desktop.session.directory, "proof")
        foot = desktop.start(["foot", "sh"])
        desktop.control.window(lambda w: w["title"] == "foot" and w["focused"])
        client.send("next")
        client.expect("ready dismissed")
        desktop.session.run("wtype", ["wtype", f"touch {proof}; exit\n"], desktop.portal.env)
        assert foot.wait_exit() == 0, foot.details()
        assert os.path.exists(proof), "the command was not typed"
        client.stop()


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


def portal_runs_in_a_window_of_another_compositor():
    with case.desktop("nested") as parts:
        desktop = Desktop(*parts)
        nested = desktop.start([programs.PORTAL], env={"WLR_BACKENDS": "wayland"})
        window = desktop.control.window("Portal (WL-1)")
        env = {"WAYLAND_DISPLAY": "wayland-1"}
        inner = lambda: desktop.session.run("portalctl", [programs.CTL, "-j", "outputs"], env)
        desktop.control.run("place", window["id"], 20, 40, 640, 480)
        desktop.control.window(lambda w: (w["box"]["width"], w["box"]["height"]) == (640, 480))
        output = json.loads("\n".join(inner()))[0]
        assert (output["width"], output["height"]) == (640, 480), output
        # A nested output's first buffer of a new size is black; the desktop comes with the next.
        until("the nested desktop", lambda: is_filled(desktop, (20, 40, 640, 480), BACKGROUND))
        desktop.control.run("close", window["id"])
        assert nested.wait_exit() == 0, nested.details()


def typed_text_arrives_in_a_terminal():
    with case.desktop("typing") as parts:
        desktop = Desktop(*parts)
        proof = os.path.join(desktop.session.directory, "proof")
        foot = desktop.start(["foot", "sh"])
        desktop.control.window("foot")
        desktop.session.run("wtype", ["wtype", f"touch {proof}; exit\n"], desktop.portal.env)
        assert foot.wait_exit() == 0, foot.details()
        assert os.path.exists(proof), "the command was not typed"
        desktop.control.no_windows()


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


PRIVILEGED = {
    "ext_data_control_manager_v1",
    "ext_idle_notifier_v1",
    "ext_image_copy_capture_manager_v1",
    "ext_output_image_capture_source_manager_v1",
    "wl_data_device_manager",
    "wp_security_context_manager_v1",
    "zwlr_data_control_manager_v1",
    "zwlr_export_dmabuf_manager_v1",
    "zwlr_foreign_toplevel_manager_v1",
    "zwlr_gamma_control_manager_v1",
    "zwlr_layer_shell_v1",
    "zwlr_output_manager_v1",
    "zwlr_output_power_manager_v1",
    "zwlr_screencopy_manager_v1",
    "zwlr_virtual_pointer_manager_v1",
    "zwp_primary_selection_device_manager_v1",
    "zwp_virtual_keyboard_manager_v1",
}
NEEDED = {"wl_compositor", "wl_shm", "xdg_wm_base", "wl_seat", "wl_subcompositor", "wp_viewporter"}


def a_guest_sees_no_privileged_global():
    with case.desktop("globals") as parts:
        desktop = Desktop(*parts)
        lister = [sys.executable, os.path.join(os.path.dirname(__file__), "globals.py")]

        def seen(*context):
            command = [programs.TEST_CONTEXT, *context, *lister] if context else lister
            return set(desktop.session.run("globals", command, desktop.portal.env))

        everything = seen()
        assert PRIVILEGED | NEEDED <= everything, (PRIVILEGED | NEEDED) - everything
        of_guest = seen("org.portal.vm", "guest")
        assert NEEDED <= of_guest and not of_guest & PRIVILEGED, of_guest & PRIVILEGED
        clipboard = {"wl_data_device_manager", "zwp_primary_selection_device_manager_v1"}
        of_sandbox = seen("org.flatpak", "1234")
        assert of_sandbox - of_guest == clipboard, of_sandbox ^ of_guest
        assert not of_sandbox & (PRIVILEGED - clipboard)


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


def an_idle_desktop_does_not_wake_the_compositor():
    with case.desktop("idle") as parts:
        desktop = Desktop(*parts)
        client, _ = desktop.show("damage", "guest")
        pid = desktop.portal.process.pid

        def switches():
            total = 0
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
                    total += sum(int(l.split()[1]) for l in file if l.startswith("voluntary_ctxt"))
            return total

        before = None
        while before != switches():  # what the screenshots and clients began has to end first
            before = switches()
            select.select([], [], [], 0.3)
        select.select([], [], [], 3)  # the measured time itself
        assert switches() == before, f"{switches() - before} wake-ups in 3 seconds"
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


def write_cursor(path, size, colour):
    """A cursor of one image, Xcursor(3): a square that points with its upper left corner."""
    image, position = 0xFFFD0002, 16 + 12
    header = struct.pack("<4s3I3I", b"Xcur", 16, 0x10000, 1, image, size, position)
    chunk = struct.pack("<9I", 36, image, size, 1, size, size, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(header + chunk + struct.pack("<I", 0xFF000000 | colour) * size * size)


def the_cursor_comes_from_the_theme_of_the_configuration():
    with case.session("cursor-theme") as session:
        for theme, colour in (("first", 0xE02060), ("second", 0x20E060)):
            directory = os.path.join(session.home, ".icons", theme, "cursors")
            os.makedirs(directory)
            for name in ("default", "left_ptr"):
                write_cursor(os.path.join(directory, name), 32, colour)
        portal = Portal(session, "cursor first 32\n")
        portal.input.move(300, 200)

        def shows(colour):
            picture = portal.screenshot(cursor=True)
            return picture.find(colour) == (300, 200) and picture.count(colour) == 32 * 32

        until("the cursor of the first theme", lambda: shows(0xE02060))
        path = os.path.join(session.directory, "portal.scfg")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("cursor first", "cursor second"))
        portal.process.popen.send_signal(signal.SIGHUP)
        until("the cursor of the second theme", lambda: shows(0x20E060))
        assert portal.stop() == 0, portal.process.details()


def the_configuration_is_read_again_when_asked():
    with case.desktop("reload") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("damage", "guest")
        path = os.path.join(desktop.session.directory, "portal.scfg")
        with open(path, encoding="utf-8") as file:
            text = file.read()

        def write(new):
            with open(path, "w", encoding="utf-8") as file:
                file.write(new)

        write(text.replace("#2060c0", "#00a050"))
        desktop.control.run("reload")
        window = desktop.control.window(lambda w: w["color"] == "#00a050")
        picture = desktop.portal.screenshot()
        for side in sides(box(window["frame"]), BORDER):
            assert_filled(picture, side, 0x00A050)
        # A mistake is told with its place, and nothing changes.
        write(text + "theme {\n\tborder-width wide\n}\n")
        line = len(text.split("\n")) + 1
        status, message = desktop.control.refused("reload")
        assert status == 1 and f"{path}:{line}: border-width" in message, message
        assert desktop.window(client)["color"] == "#00a050"
        write(text)
        desktop.portal.process.popen.send_signal(signal.SIGHUP)
        desktop.control.window(lambda w: w["color"] == "#2060c0")
        client.stop()


def the_control_socket_refuses_what_is_not_there():
    with case.desktop("control") as parts:
        desktop = Desktop(*parts)
        status, message = desktop.control.refused("close", 77)
        assert status == 1 and message == "portalctl: there is no window 77", message
        status, message = desktop.control.refused("--display", "wayland-99", "windows")
        assert status == 3 and "no portal answers" in message, message
        client, window = desktop.show("damage", "guest")
        for words, wanted, told in (
            (("place", window["id"], 2**31 - 1, 0), 1, "that x is out of range"),
            (("place", window["id"], 2**40, 0), 1, "that x is out of range"),
            (("place", window["id"], 0, 0, 20000, 5), 1, "that width is out of range"),
            (("place", window["id"], 0, 0, 5), 2, "place wants ID X Y or ID X Y WIDTH HEIGHT"),
            (("maximize", window["id"], "perhaps"), 2, '"perhaps" is neither on nor off'),
            (("focus", "it"), 2, '"it" is not a number'),
            (("windws",), 2, 'no command "windws"; did you mean "windows"?'),
            (("dance",), 2, 'no command "dance"; portalctl --help lists them'),
        ):
            status, message = desktop.control.refused(*words)
            assert (status, message) == (wanted, f"portalctl: {told}"), (words, status, message)
        assert box(desktop.window(client)["box"]) == box(window["box"])
        for words in (("windows", "--json"), ("windows", "-j"), ("--json", "windows")):
            listed = json.loads("\n".join(desktop.control.run(*words)))
            assert [w["id"] for w in listed] == [window["id"]], listed
        client.stop()
        desktop.control.run("quit")
        assert desktop.portal.process.wait_exit() == 0


def failed_start(session, arguments, env=None):
    """The log of a portal that has to end by itself, with a failure."""
    command = [programs.PORTAL, *arguments]
    process = session.start("portal-failing", command, env)
    status = process.wait_exit()
    assert status == 1, f"portal exited with {status}\n{process.details()}"
    return process.log()


def services_of_the_session_find_the_display():
    with case.session("services-environment") as session:
        address = f"unix:path={session.directory}/bus"
        session.env["DBUS_SESSION_BUS_ADDRESS"] = address
        proof = os.path.join(session.directory, "proof")
        services = os.path.join(session.home, ".local/share/dbus-1/services")
        os.makedirs(services)
        with open(os.path.join(services, "org.portal.Proof.service"), "w", encoding="utf-8") as file:
            file.write("[D-BUS Service]\nName=org.portal.Proof\n")
            file.write(f'Exec=/bin/sh -c "env > {proof}.new; mv {proof}.new {proof}"\n')
        daemon = session.start(
            "dbus-daemon",
            ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}"],
        )
        daemon.expect("unix:.*")
        # What portal tells systemd is seen on the bus; systemd itself is not there.
        monitor = session.start("dbus-monitor", ["dbus-monitor", "--session"])
        monitor.expect(".*member=NameLost.*")
        compositor = Portal(session, "services-environment always\n")
        monitor.expect(".*member=SetEnvironment.*")
        monitor.expect(f'.*"WAYLAND_DISPLAY={compositor.display}"')
        start = ["dbus-send", "--session", "--dest=org.portal.Proof", "/", "org.portal.Proof.Go"]
        session.run("dbus-send", start)
        until("the service to be started", lambda: os.path.exists(proof))
        with open(proof, encoding="utf-8") as file:
            environment = file.read().split("\n")
        for wanted in (f"WAYLAND_DISPLAY={compositor.display}", "XDG_SESSION_TYPE=wayland"):
            assert wanted in environment, environment
        assert "XDG_CURRENT_DESKTOP=portal:wlroots" in environment, environment
        assert compositor.stop() == 0, compositor.process.details()
        monitor.expect(".*member=UnsetEnvironment.*")


def portal_says_what_it_lacks():
    with case.desktop("lacks") as (session, portal):
        log = failed_start(session, ["--socket", portal.display])
        assert f"{portal.display} is taken" in log, log
        log = failed_start(session, [], {"XDG_RUNTIME_DIR": ""})
        assert "XDG_RUNTIME_DIR is not set" in log, log
        log = failed_start(session, [], {"XDG_RUNTIME_DIR": "/nonexistent"})
        assert "/nonexistent, which is no directory" in log, log
        log = failed_start(session, ["--config", "/nonexistent.scfg"])
        assert "/nonexistent.scfg: No such file" in log, log
        no_seat = {"WLR_BACKENDS": "drm", "LIBSEAT_BACKEND": "seatd"}
        log = failed_start(session, [], {**no_seat, "SEATD_SOCK": "/nonexistent"})
        assert "a seat is needed" in log, log
        if os.geteuid() == 0 and not glob.glob("/dev/dri/card*"):
            # Here there is a seat, but no card; wlroots waits for one.
            process = session.start("portal-waiting", [programs.PORTAL], {"WLR_BACKENDS": "drm"})
            until("the message", lambda: "no graphics card in /dev/dri" in process.log())
            process.kill()
        log = failed_start(session, [], {"WLR_RENDERER": "gles2"})
        assert "WLR_RENDERER=pixman" in log, log


def a_wrong_configuration_is_told_with_file_and_line():
    mistakes = [
        ("output {\n}\n", 1, "output wants 1 parameter"),
        ("\nfocus sometimes\n", 2, '"sometimes" is none of click, pointer'),
        ("bind Super+nokey close\n", 1, "no key of that name"),
        ("bind Super+x dance\n", 1, "no action of that name"),
        ("bind Hyper+x close\n", 1, "no key combination"),
        ("theme {\n\tborder-width 0\n}\n", 2, "not a whole number from 1 to 32"),
        ("theme {\n\tlocal red\n}\n", 2, "is not a colour"),
        ("output X {\n\tmode big\n}\n", 2, "is not WIDTHxHEIGHT"),
        ("keyboard {\n\trepeat 1\n}\n", 2, "repeat wants 2 parameters"),
        ("\nkeyboard {\n\tlayout xy\n}\n", 2, 'no keyboard layout "xy"'),
        ("vm a {\n\tlable x \"#ffffff\"\n}\n", 2, 'did you mean "label"'),
        ("input x {\n\taccel 7\n}\n", 2, "is not a number from -1 to 1"),
    ]
    with case.desktop("mistakes") as (session, portal):
        path = os.path.join(session.directory, "wrong.scfg")
        for text, line, words in mistakes:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            log = failed_start(session, ["--check", "--config", path])
            assert f"{path}:{line}: " in log and words in log, f"{text!r}: {log}"


TESTS = [
    a_window_carries_the_label_of_its_vm,
    a_fullscreen_window_keeps_a_line_of_its_label,
    nothing_of_a_guest_is_drawn_outside_of_its_frame,
    a_popup_of_a_guest_is_bordered_wherever_it_is,
    a_guest_cannot_leave_its_frame_nor_take_what_is_typed,
    a_new_window_does_not_interrupt_what_is_being_typed,
    portal_runs_in_a_window_of_another_compositor,
    typed_text_arrives_in_a_terminal,
    a_dragged_border_ends_at_the_exact_size,
    a_title_bar_moves_maximises_and_closes,
    a_modifier_drag_moves_and_resizes_anywhere_in_the_window,
    keys_cycle_through_windows_and_close_them,
    a_window_is_not_left_below_a_bar_that_comes,
    a_wallpaper_and_a_bar_have_their_places,
    a_guest_sees_no_privileged_global,
    a_window_that_cannot_be_seen_is_asked_for_no_frames,
    an_idle_desktop_does_not_wake_the_compositor,
    windows_of_an_output_that_goes_move_to_another,
    windows_outlive_the_only_output,
    a_window_that_began_maximised_is_placed_when_it_is_restored,
    the_scale_of_an_output_comes_from_the_configuration,
    the_cursor_comes_from_the_theme_of_the_configuration,
    the_configuration_is_read_again_when_asked,
    the_control_socket_refuses_what_is_not_there,
    services_of_the_session_find_the_display,
    portal_says_what_it_lacks,
    a_wrong_configuration_is_told_with_file_and_line,
]

case.run(TESTS, sys.argv[1:])

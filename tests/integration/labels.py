"""What marks a guest's windows, and that no guest gets out of its frame.

labels.py [TEST...]
"""

import os
import sys

from portaltest import case, programs
from portaltest.compositor import HEIGHT, WIDTH
from portaltest.control import box
from portaltest.desktop import (
    BORDER,
    FULLSCREEN_BORDER,
    GUEST,
    LOCAL,
    OTHER,
    POPUP_BORDER,
    UNKNOWN,
    Desktop,
    assert_filled,
    assert_nothing_outside,
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


def a_name_that_is_no_text_is_listed_with_the_others():
    with case.desktop("no-text") as parts:
        desktop = Desktop(*parts)
        client, window = desktop.show("damage", "gu\udcffest")
        assert (window["vm"], window["label"]) == ("gu", "no label: gu?est"), window
        other, _ = desktop.show("damage", "guest")
        for one in (client, other):
            one.stop()


TESTS = [
    a_window_carries_the_label_of_its_vm,
    a_fullscreen_window_keeps_a_line_of_its_label,
    nothing_of_a_guest_is_drawn_outside_of_its_frame,
    a_popup_of_a_guest_is_bordered_wherever_it_is,
    a_guest_cannot_leave_its_frame_nor_take_what_is_typed,
    a_guest_sees_no_privileged_global,
    a_name_that_is_no_text_is_listed_with_the_others,
]

case.run(TESTS, sys.argv[1:])

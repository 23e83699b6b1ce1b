"""What portal is as the program of a session: where it runs, what it is told, what it lacks.

desktop.py [TEST...]
"""

import glob
import json
import os
import signal
import struct
import sys

from portaltest import case, programs
from portaltest.compositor import Portal
from portaltest.control import box
from portaltest.deadline import until
from portaltest.desktop import BACKGROUND, BORDER, Desktop, assert_filled, is_filled, sides
from portaltest.idle import assert_nobody_wakes


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


def an_idle_desktop_does_not_wake_the_compositor():
    with case.desktop("idle") as parts:
        desktop = Desktop(*parts)
        client, _ = desktop.show("damage", "guest")
        assert_nobody_wakes([desktop.portal.process.pid])
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


def a_cursor_keeps_the_shape_that_its_window_wants():
    with case.session("cursor-shape") as session:
        cursors = os.path.join(session.home, ".icons", "shapes", "cursors")
        os.makedirs(cursors)
        for name, colour in (("default", 0xE02060), ("text", 0x20E060)):
            write_cursor(os.path.join(cursors, name), 32, colour)
        portal = Portal(session, "cursor shapes 32\n")
        desktop = Desktop(session, portal)
        shown = lambda colour: portal.screenshot(cursor=True).count(colour) == 32 * 32

        def show(feature, stage):
            client = desktop.start([programs.TEST_CLIENT, feature])
            client.expect("enter")
            x, y, _, _ = box(desktop.control.window(feature)["box"])
            desktop.input.move(x + 80, y + 60)
            client.expect(f"ready {stage}")
            return client

        client = show("shapes", "text")
        until("the cursor for text", lambda: shown(0x20E060))
        desktop.control.run("reload")
        assert shown(0x20E060), "the cursor is another one"
        client.stop()
        # And is not there where it is to be hidden.
        client = show("cursor", "small")
        for stage in ("large", "hotspot moved", "offset", "scaled", "hidden"):
            desktop.next(client, stage)
        until("no cursor", lambda: not shown(0xE02060))
        desktop.control.run("reload")
        assert not shown(0xE02060), "a cursor is shown"
        client.stop()
        assert portal.stop() == 0, portal.process.details()


def a_configuration_that_is_written_later_is_found():
    with case.session("later-config") as session:
        ready = os.path.join(session.directory, "ready")
        portal = session.start("portal", [programs.PORTAL, "--startup", f"touch {ready}"])
        until("portal to be ready", lambda: os.path.exists(ready))
        display = {"WAYLAND_DISPLAY": "wayland-0"}
        scale = lambda: json.loads("\n".join(session.run(
            "portalctl", [programs.CTL, "state"], display)))["outputs"][0]["scale"]
        path = os.path.join(session.home, ".config", "portal", "portal.scfg")
        os.makedirs(os.path.dirname(path))
        for wanted in (2, 3):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"output * {{\n\tscale {wanted}\n}}\n")
            session.run("portalctl", [programs.CTL, "reload"], display)
            assert scale() == wanted, scale()
        # Without one it is as it was at the beginning.
        os.remove(path)
        session.run("portalctl", [programs.CTL, "reload"], display)
        assert scale() == 1, scale()
        assert portal.stop() == 0, portal.details()


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
        # What has not been written was not done.
        for words in ("windows", "state", "watch"):
            for output in (">/dev/full", ">&-"):
                process = desktop.session.start(
                    "portalctl", ["sh", "-c", f'exec "$0" "$@" {output}', programs.CTL, words],
                    desktop.portal.env)
                assert process.wait_exit() == 1, f"{words} {output}\n{process.details()}"
                assert "portalctl: cannot write all" in process.log(), process.details()
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
        ("bind Super+x snap up\n", 1, "no such parameter"),
        ("bind Super+x move sideways\n", 1, "no such parameter"),
        ("bind Super+x move\n", 1, "wants one parameter"),
        ("bind Super+x move left 0\n", 1, "a whole number of pixels"),
        ("bind Super+x resize wider 10001\n", 1, "a whole number of pixels"),
        ("bind Super+x resize wider 5 5\n", 1, "a whole number of pixels"),
        ("bind Super+x close it\n", 1, "no parameters"),
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
    portal_runs_in_a_window_of_another_compositor,
    typed_text_arrives_in_a_terminal,
    an_idle_desktop_does_not_wake_the_compositor,
    the_cursor_comes_from_the_theme_of_the_configuration,
    the_configuration_is_read_again_when_asked,
    a_cursor_keeps_the_shape_that_its_window_wants,
    a_configuration_that_is_written_later_is_found,
    the_control_socket_refuses_what_is_not_there,
    services_of_the_session_find_the_display,
    portal_says_what_it_lacks,
    a_wrong_configuration_is_told_with_file_and_line,
]

case.run(TESTS, sys.argv[1:])

"""tools/shell passes on what it is given, on a machine that has everything itself and in a root of its
own. The environment of tools/shell, in which this runs, is a machine of both kinds.
"""

import os
import socket
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ["PORTAL_BUILD"]
PROGRAMS = {
    "portal": "compositor",
    "portal-bridge": "compositor/bridge",
    "portal-run": "compositor/launcher",
    "portal-agent": "guest-agent",
    "portal-host": "host-vfio",
}
SESSION = ("WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY")


def shell(*arguments, **changes):
    """Runs tools/shell: the exit status, what it prints, what it says besides."""
    env = {name: value for name, value in os.environ.items() if name not in SESSION}
    done = subprocess.run([os.path.join(TOP, "tools", "shell"), *arguments], env=env | changes,
                          cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def the_exit_status_is_the_commands(root):
    for script, wanted in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)):
        status, _, said = shell("sh", "-c", script, **root)
        assert status == wanted, (script, status, said)
    status, _, said = shell("nothing-of-the-kind", **root)
    assert status == 127 and "nothing-of-the-kind: not found" in said, (status, said)


def arguments_and_directory_reach_the_command_unchanged(root):
    words = ["", "two words", "*", "$HOME", 'quo"te', "--bind", "new\nline"]
    script = "import os, sys; print([os.getcwd(), sys.argv[1:]])"
    status, out, said = shell("--", "python3", "-c", script, *words, **root)
    assert status == 0 and out == f"{[TOP, words]}\n", (status, out, said)


def the_builds_programs_come_first(root):
    script = f"echo $PATH; for name in {' '.join(PROGRAMS)}; do command -v $name; done"
    status, out, said = shell("sh", "-c", script, **root)
    path, *found = out.split()
    first = path.split(":")[:len(PROGRAMS)]
    assert set(first) == {os.path.join(BUILD, folder) for folder in PROGRAMS.values()}, path
    wanted = [os.path.join(BUILD, folder, name) for name, folder in PROGRAMS.items()]
    assert status == 0 and found == wanted, (status, out, said)


def a_directory_that_is_bound_is_there(root):
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept")
        script = f"cat {directory}/file && echo back >{kept}"
        with open(os.path.join(directory, "file"), "w", encoding="ascii") as file:
            file.write("forth")
        status, out, said = shell("--bind", directory, "sh", "-c", script, **root)
        assert (status, out) == (0, "forth"), (status, out, said)
        with open(kept, encoding="ascii") as file:
            assert file.read() == "back\n"


def a_session_is_reached_from_within(root):
    """A Wayland compositor by its name in the runtime directory; an X server with its cookie."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as wayland, \
            socket.socket(socket.AF_UNIX) as server:
        wayland.bind(os.path.join(directory, "display"))
        os.makedirs("/tmp/.X11-unix", mode=0o1777, exist_ok=True)
        display = f"/tmp/.X11-unix/X{os.getpid()}"
        server.bind(display)
        cookie = os.path.join(directory, "cookie")
        with open(cookie, "w", encoding="ascii") as file:
            file.write("a cookie")
        for listener in (wayland, server):
            listener.listen()
        script = ("import os, socket\n"
                  f"for path in os.environ['WAYLAND_DISPLAY'], '{display}':\n"
                  "    socket.socket(socket.AF_UNIX).connect(path)\n"
                  "print(os.environ['DISPLAY'], open(os.environ['XAUTHORITY']).read())\n")
        status, out, said = shell("python3", "-c", script, WAYLAND_DISPLAY="display",
                                  XDG_RUNTIME_DIR=directory, DISPLAY=f":{os.getpid()}",
                                  XAUTHORITY=cookie, **root)
        os.unlink(display)
        assert (status, out) == (0, f":{os.getpid()} a cookie\n"), (status, out, said)


def a_session_that_is_not_there_is_not_spoken_of(root):
    status, out, said = shell("env", WAYLAND_DISPLAY="wayland-none", XAUTHORITY="/nowhere", **root)
    lines = [line for line in out.splitlines() if line.split("=")[0] in SESSION]
    assert status == 0 and not lines, (status, lines, said)


def nothing_is_left_running(root):
    """What holds the pipe's other end would keep its reader waiting."""
    status, out, said = shell("sh", "-c", "sleep infinity & echo $!", **root)
    assert status == 0 and out.strip().isdigit(), (status, out, said)


def is_native(**changes):
    script = f". {TOP}/tools/lib/root.sh; portal_native"
    return not subprocess.run(["bash", "-euc", script], env=os.environ | changes,
                              check=False).returncode


def a_machine_that_lacks_a_package_is_not_used_itself():
    assert is_native() and not is_native(PORTAL_FORCE_ROOT="1")
    with open("/var/lib/dpkg/status", encoding="utf-8") as file:
        packages = file.read()
    mine = "Package: grim\nStatus: install ok installed\n"
    assert mine in packages
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "info"))
        for instead, native in ((mine, True), (mine.replace("grim", "gram"), False),
                                ("Package: grim\nStatus: deinstall ok config-files\n", False)):
            with open(os.path.join(directory, "status"), "w", encoding="utf-8") as file:
                file.write(packages.replace(mine, instead))
            assert is_native(DPKG_ADMINDIR=directory) == native, instead


def what_cannot_be_is_refused():
    for arguments, wanted in (
        (["--nothing"], "no such option: --nothing"),
        (["--bind"], "--bind wants a directory"),
        (["--bind", "/nowhere", "true"], "--bind wants a directory"),
    ):
        status, out, said = shell(*arguments)
        assert status == 1 and not out and wanted in said, (arguments, status, said)


def main():
    os.environ.pop("PORTAL_FORCE_ROOT", None)
    if not os.environ.get("PORTAL_IN_ROOT"):
        print("only in tools/shell is everything there that it would bring")
        sys.exit(77)
    what_cannot_be_is_refused()
    a_machine_that_lacks_a_package_is_not_used_itself()
    for root in {}, {"PORTAL_FORCE_ROOT": "1"}:
        the_exit_status_is_the_commands(root)
        arguments_and_directory_reach_the_command_unchanged(root)
        the_builds_programs_come_first(root)
        a_directory_that_is_bound_is_there(root)
        a_session_is_reached_from_within(root)
        a_session_that_is_not_there_is_not_spoken_of(root)
        nothing_is_left_running(root)


main()

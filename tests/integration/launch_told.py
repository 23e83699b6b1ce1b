"""portal-run: what it says and returns when something is missing or wrong.

launch_told.py [TEST...]
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import sys
import threading

from portaltest import case, programs
from portaltest.bridge import call
from portaltest.deadline import until
from portaltest.launcher import KEEPER, launcher_test
from portaltest.process import descriptor_links, unix_sockets


@launcher_test
def without_a_compositor_nothing_is_started(launcher):
    launcher.env = {}
    launcher.expect(211, r"WAYLAND_DISPLAY is not set", "local:", "--", "true")
    launcher.expect(211, r"no compositor to show windows on",
                    "local:", "--", "true", env={"WAYLAND_DISPLAY": "wayland-none"})
    launcher.await_end()


@launcher_test
def programs_of_portal_that_are_missing_are_named(launcher):
    alone = os.path.join(launcher.session.directory, "alone")
    os.mkdir(alone)
    program = shutil.copy(programs.RUN, alone)
    env = {"PATH": alone}
    launcher.expect(212, r"cannot run portal-agent: No such file",
                    "local:", "--", "true", program=program, env=env)
    launcher.await_end()
    shutil.copy(programs.AGENT, alone)
    launcher.expect(210, r"cannot run portal-bridge: No such file",
                    "local:", "--", "true", program=program, env=env)
    launcher.await_end()


@launcher_test
def a_wrong_configuration_is_told_with_its_line(launcher):
    cases = (
        ("vm demo {\n\tlable x\n}\n", r':2: vm demo has no "lable"; did you mean "label"\?'),
        ("vm demo {\n\ttransport tcp:7\n}\n", r':2: transport: "tcp:7": '),
        ("vm demo {\n\n\theap shm:x\n}\n", r':3: heap: "shm:x": '),
        ("vm demo {\n", r": not valid scfg"),
    )
    for text, message in cases:
        with open(launcher.config, "w", encoding="utf-8") as file:
            file.write(text)
        launcher.expect(201, message, "vm:demo", "--", "true")
    launcher.expect(201, r"/nowhere/portal.scfg: No such file",
                    "--config", "/nowhere/portal.scfg", "--list")


def watches(pid):
    """Whether portal-run has done all that comes before waiting, and hears of its bridge's states."""
    return unix_sockets(pid) and any("signalfd" in link for _, link in descriptor_links(pid))


@launcher_test
def a_vm_that_cannot_be_used_is_told_why(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(
            "vm test {\n\turi test:///default\n}\n"
            "vm ghost {\n\turi test:///default\n}\n"
            "vm gone {\n\turi qemu+unix:///system?socket=/nowhere/libvirt\n}\n"
            "vm other {\n\turi none\n}\n"
            "vm keyless {\n\turi none\n"
            "\ttransport virtio-serial:/nowhere/port\n\theap file:/nowhere/heap\n}\n"
            "vm silent {\n\turi none\n"
            f"\ttransport unix:{launcher.session.directory}/nobody\n\theap memfd:\n}}\n"
        )
    launcher.expect(202, r"has no vm gohst; did you mean vm:ghost\?", "vm:gohst", "--", "true")
    launcher.expect(203, r"libvirt does not answer at qemu\+unix", "vm:gone", "--", "true")
    launcher.expect(204, r"libvirt has no domain ghost at test:///default", "vm:ghost", "--", "true")
    launcher.expect(201, r"how to reach test is not known", "vm:test", "--", "true")
    launcher.expect(201, r"how to reach other is not known", "vm:other", "--", "true")
    launcher.expect(208, r"keyless.key: No such file", "vm:keyless", "--", "true")
    launcher.expect(206, r"no agent has answered in vm:silent for 1 seconds",
                    "--timeout", "1", "vm:silent", "--", "true")
    # The bridge waits on; who ends it ends everybody who waits for a program that was never begun.
    process = launcher.start("vm:silent", "--", "true")
    process.close_input()
    until("it to wait for the agent", lambda: watches(process.pid))
    assert launcher.rows()["silent"][1] == "waiting"
    launcher.kill(KEEPER, signal.SIGTERM)
    assert process.wait_exit() == 210, process.details()
    assert "the bridge of vm:silent was told to end" in process.log(), process.details()
    launcher.await_end("silent")


@launcher_test
def a_heap_that_is_another_users_is_told_with_whose(launcher):
    """As where the guest was started by somebody else, and QEMU is libvirt's own user."""
    directory = launcher.session.directory
    heap, program = os.path.join(directory, "heap"), os.path.join(directory, "run")
    with open(heap, "wb") as file:
        file.truncate(16 << 20)
    os.chmod(heap, 0)
    with open(program, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec {programs.RUN} "$@"\n')
    if os.geteuid() == 0:
        os.chown(heap, 64057, 64057)
        with open(program, "w", encoding="utf-8") as file:  # root, too, is to be an ordinary user
            file.write("#!/bin/sh\nexec setpriv --bounding-set=-dac_override,-dac_read_search "
                       f'{programs.RUN} "$@"\n')
    os.chmod(program, 0o755)
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(f"vm demo {{\n\turi none\n\ttransport unix:{directory}/nobody\n\theap file:{heap}\n}}\n")
    launcher.expect(207, rf"the heap {heap} belongs to .*, and you may not open it; .* --replace",
                    "vm:demo", "--", "true", program=program)


@launcher_test
def a_heap_that_is_not_there_is_told(launcher):
    socket = os.path.join(launcher.session.directory, "agent")
    agent = launcher.session.start(
        "portal-agent", [programs.AGENT, "--listen", f"unix:{socket}", "--heap", "memfd:16M"]
    )
    until("the agent to listen", lambda: os.path.exists(socket))
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(f"vm heapless {{\n\turi none\n\ttransport unix:{socket}\n\theap file:/nowhere/heap\n}}\n")
    # The first one starts the bridge. Once that answers, it is told in time.
    launcher.run("--timeout", "1", "vm:heapless", "--", "true")
    call(launcher.session, "heapless", "org.portal.Bridge.GetState")
    launcher.expect(207, r"heap", "--timeout", "2", "vm:heapless", "--", "true")
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("heapless")
    agent.stop()


class OddAgent:
    """What answers every bridge that connects to a unix socket with answer(preamble, hello), which
    gets the bytes of both (portal-protocol(7)) and returns bytes."""

    def __init__(self, path, answer):
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self._socket.accept()[0]
                with connection, contextlib.suppress(ConnectionError):
                    self._greet(connection)

    def _greet(self, connection):
        preamble = connection.recv(16, socket.MSG_WAITALL)
        header = connection.recv(16, socket.MSG_WAITALL)
        length = struct.unpack_from("<I", header)[0]
        hello = connection.recv((length + 7) & ~7, socket.MSG_WAITALL)
        connection.sendall(self._answer(preamble, header + hello))
        while connection.recv(4096):  # until the bridge has had enough
            pass

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@launcher_test
def an_agent_of_another_age_or_none_at_all_is_told(launcher):
    def later(preamble, hello):
        header, payload = hello[:16], hello[16:]
        return preamble + header + struct.pack("<III", 98, 99, 2) + payload[12:]

    def stranger(preamble, hello):
        return b"HTTP/1.1 400 Bad Request\r\n\r\n"

    path = os.path.join(launcher.session.directory, "odd")
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(f"vm odd {{\n\turi none\n\ttransport unix:{path}\n\theap memfd:\n}}\n")
    for answer, status, message in (
        (later, 209, r"the agent in vm:odd and this bridge speak no version in common"),
        (stranger, 214, r"does not speak Portal's protocol|broke a rule"),
    ):
        agent = OddAgent(path, answer)
        launcher.expect(status, message, "vm:odd", "--", "true")
        launcher.kill(KEEPER, signal.SIGTERM)
        launcher.await_end("odd")
        agent.close()
        os.unlink(path)


# Runs portal-run with a terminal as its standard error, and prints what that shows up to the end of
# the outcome's line. It comes when the kernel passes it on, in pieces, and never ends, as the keeper
# has the terminal too.
ON_TERMINAL = """
import json, os, subprocess, sys
master, slave = os.openpty()
status = subprocess.call(sys.argv[1:], stderr=slave)
shown = b""
while b"\\n" not in shown.partition(b"portal-run: ")[2]:
    shown += os.read(master, 65536)
print(json.dumps(shown.decode()))
sys.exit(status)
"""


@launcher_test
def a_terminal_shows_what_is_waited_for(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        path = f"{launcher.session.directory}/nobody"
        file.write(f"vm silent {{\n\turi none\n\ttransport unix:{path}\n\theap memfd:\n}}\n")
    arguments = ["--timeout", "2", "vm:silent", "--", "true"]
    process = launcher.session.start(
        "terminal", [sys.executable, "-c", ON_TERMINAL, programs.RUN, *arguments], launcher.env
    )
    process.close_input()
    assert process.wait_exit() == 206, process.details()
    shown = json.loads(process.lines[-1])
    clear = "\r\x1b[K"
    assert f"{clear}waiting for the agent in vm:silent… 1 s" in shown, process.details()
    # It is one line, in the place of which the outcome stands.
    assert f"{clear}portal-run: no agent has answered in vm:silent" in shown, process.details()
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("silent")
    # Elsewhere it would only fill a log.
    status, process = launcher.run(*arguments)
    assert status == 206 and "waiting for the agent" not in process.log(), process.details()
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("silent")


@launcher_test
def a_machine_that_cannot_run_it_is_told(launcher):
    launcher.expect(217, r"XDG_RUNTIME_DIR is not set", "local:", "--", "true",
                    env={"XDG_RUNTIME_DIR": ""})
    long = os.path.join(launcher.session.directory, "x" * 100)
    os.mkdir(long)
    launcher.expect(217, r"is too long a path for sockets", "local:", "--", "true",
                    env={"XDG_RUNTIME_DIR": long})
    # Once, however many guests there are.
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write("vm one {\n\turi none\n}\nvm two {\n\turi none\n}\n")
    launcher.expect(217, r"^portal-run: XDG_RUNTIME_DIR is not set: [^\n]*$", "--list",
                    env={"XDG_RUNTIME_DIR": ""})


@launcher_test
def a_word_that_no_guest_can_be_told_is_named(launcher):
    launcher.expect(200, r"word 2 of the command is not UTF-8", "local:", "--", "cat", b"\xff")


@launcher_test
def a_list_that_cannot_be_written_is_a_failure(launcher):
    for arguments in (["--list"], ["--list", "--json"], ["--help"], ["--version"]):
        for output in (">/dev/full", ">&-"):
            process = launcher.session.start(
                "portal-run", ["sh", "-c", f'exec "$0" "$@" {output}', programs.RUN, *arguments],
                launcher.env)
            status = process.wait_exit()
            assert status == 217, f"{arguments} {output}: {status}\n{process.details()}"
            assert "portal-run: cannot write all that was asked for" in process.log(), arguments


TESTS = [
    without_a_compositor_nothing_is_started,
    programs_of_portal_that_are_missing_are_named,
    a_wrong_configuration_is_told_with_its_line,
    a_vm_that_cannot_be_used_is_told_why,
    a_heap_that_is_another_users_is_told_with_whose,
    a_heap_that_is_not_there_is_told,
    an_agent_of_another_age_or_none_at_all_is_told,
    a_terminal_shows_what_is_waited_for,
    a_machine_that_cannot_run_it_is_told,
    a_word_that_no_guest_can_be_told_is_named,
    a_list_that_cannot_be_written_is_a_failure,
]

case.main("portal", None, TESTS, sys.argv[1:])

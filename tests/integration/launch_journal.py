"""portal-run where there is a journal: what the programs that it starts say is there, in their VM's name.

launch_journal.py [TEST...]: with a systemd-journald of its own, in a mount namespace of its own.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import syslog
import tempfile
import uuid

from portaltest import case
from portaltest.bridge import call
from portaltest.launcher import KEEPER, launcher_test

JOURNALD = "/usr/lib/systemd/systemd-journald"


def mount_empty(path):
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "journal", path], check=True)


def start_journald(directory):
    """A journal in memory, of a machine of its own; returns when it listens."""
    os.unshare(os.CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    machine = os.path.join(directory, "machine-id")
    with open(machine, "w", encoding="ascii") as file:
        file.write(uuid.uuid4().hex + "\n")
    subprocess.run(["mount", "--bind", machine, "/etc/machine-id"], check=True)
    for path in ("/run/systemd", "/run/log", "/var/log"):
        mount_empty(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = os.path.join(directory, "notify")
        notify.bind(path)
        journald = subprocess.Popen([JOURNALD], env=dict(os.environ, NOTIFY_SOCKET=path))
        while b"READY=1" not in notify.recv(4096).split(b"\n"):
            pass
    return journald


def entries(identifier):
    """What the journal has under that name, in order: [(priority, message)]."""
    subprocess.run(["journalctl", "--sync"], check=True)
    done = subprocess.run(["journalctl", "--quiet", "--output=json", f"--identifier={identifier}"],
                          stdout=subprocess.PIPE, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [(int(line["PRIORITY"]), line["MESSAGE"]) for line in lines]


def check_told(identifier, begin, priority=syslog.LOG_INFO):
    """All that it has under that name, among which a line begins so and has that priority."""
    found = entries(identifier)
    assert any(line[0] == priority and line[1].startswith(begin) for line in found), found
    return found


@launcher_test
def bridge_and_agent_are_in_the_journal_by_the_name_of_their_vm(launcher):
    status, process = launcher.run("local:", "--", "sh", "-c", "echo said by the program")
    assert status == 0, process.details()
    launcher.await_end()
    bridge = check_told("portal-bridge@local", "portal-bridge[local]: portal-agent ")
    assert all(message.startswith("portal-bridge[local]: ") for _, message in bridge), bridge
    agent = check_told("portal-agent@local", "portal-agent[local]: ")
    check_told("portal-agent@local", "said by the program")
    # The priority goes before the text, and is no part of it.
    for _, message in bridge + agent:
        assert not message.startswith("<") and "[INFO]" not in message, message
    assert "portal-bridge[" not in process.log() and "portal-agent[" not in process.log()


@launcher_test
def a_detached_program_leaves_its_log_there_as_well(launcher):
    begun = len(entries("portal-bridge@local"))
    status, process = launcher.run("--detach", "local:", "--", "true")
    assert status == 0, process.details()
    launcher.await_end()
    assert len(entries("portal-bridge@local")) > begun
    assert not os.path.exists(launcher.path("local.log"))


@launcher_test
def a_bridge_that_waits_says_for_which_vm(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(
            'vm work {\n\turi none\n\tlabel "At work" "#123456"\n'
            f"\ttransport unix:{launcher.path('nobody')}\n\theap file:/nowhere/heap\n"
            f"\tkey {launcher.path('work.key')}\n}}\n")
    status, process = launcher.run("--timeout", "1", "vm:work", "--", "true")
    # Whether it hears of the heap within that second is a matter of how fast a bridge starts.
    assert status in (206, 207), process.details()
    assert call(launcher.session, "work", "org.portal.Bridge.GetState")[0]["problem"] == "heap"
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("work")
    # What stands in each line is what windows are labelled with.
    check_told("portal-bridge@work", "portal-bridge[At work]: waiting: file:/nowhere/heap: ")


TESTS = [
    bridge_and_agent_are_in_the_journal_by_the_name_of_their_vm,
    a_detached_program_leaves_its_log_there_as_well,
    a_bridge_that_waits_says_for_which_vm,
]


def main():
    if os.geteuid() != 0:
        print("only root has a mount namespace for a journal of its own; tools/shell is one's root")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as directory:
        journald = start_journald(directory)
        try:
            case.main("portal", None, TESTS, sys.argv[1:])
        finally:
            journald.terminate()
            journald.wait()


main()

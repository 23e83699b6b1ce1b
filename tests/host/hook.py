"""portal-host-hook as libvirt calls it where no daemon answers: which VMs start, and what is said.

hook.py PORTAL-HOST-HOOK
"""

import functools
import os
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "harness"))

from portaltest import sentences  # noqa: E402, pylint: disable=wrong-import-position

PLAIN = "<domain type='kvm'><name>{}</name><memory unit='MiB'>64</memory>{}</domain>"
DEVICE = ("<devices><hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0' "
          "bus='1' slot='0' function='0'/></source></hostdev></devices>")
DISK = ("<devices><disk type='nvme' device='disk'><source type='pci' managed='no' namespace='1'>"
        "<address domain='0' bus='1' slot='0' function='0'/></source></disk></devices>")
UNREADABLE = ("controller work\nbogus\n", 'controller "work\n', "controller work {\n")


class Hook:
    def __init__(self, program, work):
        self.program = program
        self.policy = os.path.join(work, "host.scfg")

    def run(self, policy, domain, devices="", operation="prepare"):
        """The status and what it says."""
        with open(self.policy, "w", encoding="utf-8") as file:
            file.write(policy)
        environment = {**os.environ, "PORTAL_HOST_CONFIG": self.policy,
                       "PORTAL_HOST_SOCKET": "/nonexistent"}
        done = subprocess.run([self.program, domain, operation, "begin", "-"], check=False,
                              input=PLAIN.format(domain, devices), text=True, timeout=60,
                              capture_output=True, env=environment)
        return done.returncode, done.stderr


def a_vm_of_the_policy_does_not_start(hook):
    status, said = hook.run("controller work\n", "work")
    assert status == 1 and "portal-hostd, which gives it its devices, cannot be reached" in said
    assert hook.run("controller work\n", "other", DEVICE) == (0, "")


def where_the_policy_cannot_be_read_no_vm_with_a_device_starts(hook):
    for policy in UNREADABLE:
        for devices in (DEVICE, DISK):
            status, said = hook.run(policy, "work", devices)
            assert status == 1, (policy, said)
            assert "work is not started: it has 0000:01:00.0 of the host" in said, said
            assert "host.scfg" in said and "mend the policy" in said, said


def where_the_policy_cannot_be_read_a_vm_without_a_device_starts_and_it_is_said(hook):
    for policy in UNREADABLE:
        status, said = hook.run(policy, "web")
        assert status == 0, (policy, said)
        assert "web is started, since it has no PCI device" in said and "host.scfg" in said, said


def what_runs_already_is_not_held_up(hook):
    for operation in ("started", "stopped", "release", "reconnect"):
        status, said = hook.run(UNREADABLE[0], "work", DEVICE, operation)
        assert status == 0 and "not started" not in said, (operation, said)


TESTS = [
    a_vm_of_the_policy_does_not_start,
    where_the_policy_cannot_be_read_no_vm_with_a_device_starts,
    where_the_policy_cannot_be_read_a_vm_without_a_device_starts_and_it_is_said,
    what_runs_already_is_not_held_up,
]

sentences.run_each(TESTS, sys.argv[2:], functools.partial(Hook, sys.argv[1]))

"""portal-hostd where VFIO is real: a libvirtd that asks it by the hook, and two controllers that want
the same card, within a QEMU machine with an IOMMU.

hostd_machine.py PORTAL-HOST PORTAL-HOSTD PORTAL-HOST-HOOK
"""

import os
import shlex
import sys
import tempfile

from hostdev import CARD, DOMAIN, Host
from hostmachine import check_tree, expect, run_tests

POLICY = b"""assign net to controllers
controller desk
controller play
"""
SOCKET = "/run/portal/hostd"


class Hostd(Host):
    """The machine with portal-hostd in it as well."""

    def __init__(self, work, program, hostd, hook):
        super().__init__(work, program, lambda machine: machine.prepare(hostd, hook))

    def prepare(self, hostd, hook):
        self.within("ln", "-sfn", "/proc/self/fd", "/dev/fd")
        self.within("mkdir", "-p", "/etc/libvirt/hooks/qemu.d", "/etc/portal")
        self.within("ln", "-s", hook, "/etc/libvirt/hooks/qemu.d/portal")
        self.write("/etc/portal/host.scfg", POLICY)
        self.within("sh", "-c", f"{hostd} >/run/hostd.log 2>&1 &")

    def wait_for(self, words):
        """Follows the daemon's state, by its own word, until it says so."""
        self.within("bash", "-c", f"grep -m 1 -F {shlex.quote(words)} <({self._program} watch)")

    def hear(self, words, count=1):
        """Reads what the daemon writes until it has said so, so often."""
        self.within("bash", "-c", f"grep -m {count} {shlex.quote(words)} "
                    "<(tail -n +1 -f /run/hostd.log)")

    def drivers(self):
        return [card["driver"] for card in self.find(CARD)]

    def define(self, name):
        first, _ = self.find(CARD)
        self.write("/tmp/domain.xml", DOMAIN.replace("desk", name).encode())
        self.virsh("define", "/tmp/domain.xml")
        self.host("domain", "edit", name, "--device", first["address"], "--apply")


def a_controller_gets_its_card_by_being_started(machine):
    machine.define("desk")
    machine.define("play")
    machine.wait_for('"state":"off"')
    expect(machine.drivers() == ["e1000e", "e1000e"], "the host has the card")
    machine.virsh("start", "desk")
    for card in machine.find(CARD):
        holders = [holder["name"] for holder in card["holders"]]
        expect(card["driver"] == "vfio-pci", f"driver: {card}")
        expect(any(name.startswith("qemu-system") for name in holders), f"holders: {card}")
    said = machine.virsh("start", "play", status=1)
    expect("is with controller desk" in said, said)


def switching_moves_it_when_it_was_let_go(machine):
    # The VM has no system that could hear of a shutdown.
    machine.within("sh", "-c", f"varlinkctl call --json=short --timeout=infinity {SOCKET} "
                   "org.portal.Host.Switch '{\"controller\":\"play\"}' >/run/switched 2>&1 &")
    machine.hear("stop desk")
    machine.virsh("destroy", "desk")
    machine.wait_for('"switching":false')
    said = machine.within("cat", "/run/switched")
    expect(said.strip() in ("{}", ""), f"the switch: {said}")
    expect("running" in machine.virsh("domstate", "play"), "play runs")
    expect(machine.drivers() == ["vfio-pci", "vfio-pci"], "the card stays with VFIO")


def it_comes_back_when_no_controller_runs(machine):
    machine.virsh("destroy", "play")
    machine.hear("return from VMs .*: done", 2)
    expect(machine.drivers() == ["e1000e", "e1000e"],
           "not back: " + machine.within("cat", "/run/hostd.log"))


def main():
    check_tree()
    with tempfile.TemporaryDirectory() as work:
        machine = Hostd(work, *(os.path.realpath(path) for path in sys.argv[1:4]))
        try:
            return 1 if run_tests(machine, [
                a_controller_gets_its_card_by_being_started,
                switching_moves_it_when_it_was_let_go,
                it_comes_back_when_no_controller_runs,
            ]) else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

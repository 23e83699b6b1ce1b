"""portal-hostd where VFIO is real: two controllers that want the same card, within a QEMU machine with
an IOMMU.

hostd_machine.py PORTAL-HOST PORTAL-HOSTD PORTAL-HOST-HOOK
"""

import os
import sys
import tempfile

from hostdev import CARD, DOMAIN
from hostdmachine import Hostd
from hostmachine import check_tree, expect, run_tests

POLICY = b"""assign net to controllers
controller desk
controller play
config-space libvirt
"""
# A hook of somebody else's, which libvirt calls after portal-host-hook.
NOTE = b"""#!/bin/sh
echo "$1 $2 $(stat -c %U:%G:%a /sys/bus/pci/devices/0000:01:00.0/config)" >>/run/modes
"""


def drivers(machine):
    return [card["driver"] for card in machine.find(CARD)]


def a_controller_gets_its_card_by_being_started(machine):
    first, _ = machine.find(CARD)
    machine.define(DOMAIN, first["address"])
    machine.define(DOMAIN.replace("desk", "play"), first["address"])
    machine.write("/etc/libvirt/hooks/qemu.d/zz-note", NOTE)
    machine.within("chmod", "755", "/etc/libvirt/hooks/qemu.d/zz-note")
    machine.wait_for('"state":"off"')
    expect(drivers(machine) == ["e1000e", "e1000e"], "the host has the card")
    machine.virsh("start", "desk")
    for card in machine.find(CARD):
        holders = [holder["name"] for holder in card["holders"]]
        expect(card["driver"] == "vfio-pci", f"driver: {card}")
        expect(any(name.startswith("qemu-system") for name in holders), f"holders: {card}")
    said = machine.virsh("start", "play", status=1)
    expect("is with controller desk" in said, said)
    modes = machine.within("cat", "/run/modes").splitlines()
    started = [f"desk {step}" for step in ("prepare root:libvirt:660", "start root:libvirt:660",
                                           "started root:root:644")]
    expect(modes[:3] == started, f"the window was open for the start alone: {modes}")
    expect(all(line.endswith(" root:root:644") for line in modes[3:]), f"what was refused: {modes}")


def switching_moves_it_when_it_was_let_go(machine):
    # The VM has no system that could hear of a shutdown.
    machine.begin("Switch", '{"controller":"play"}')
    machine.hear("stop desk")
    machine.virsh("destroy", "desk")
    machine.answer()
    expect("running" in machine.virsh("domstate", "play"), "play runs")
    expect(drivers(machine) == ["vfio-pci", "vfio-pci"], "the card stays with VFIO")


def it_comes_back_when_no_controller_runs(machine):
    machine.virsh("destroy", "play")
    machine.hear("return from VMs .*: done", 2)
    expect(drivers(machine) == ["e1000e", "e1000e"], "not back: " + machine.log())


def main():
    check_tree()
    with tempfile.TemporaryDirectory() as work:
        machine = Hostd(work, [os.path.realpath(path) for path in sys.argv[1:4]], POLICY)
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

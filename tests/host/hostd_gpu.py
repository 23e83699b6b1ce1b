"""portal-hostd and a graphics card with the console on it: given to a controller, moved to another one,
and returned with its console, within a QEMU machine with an IOMMU; and a disk that the host is on.

hostd_gpu.py PORTAL-HOST PORTAL-HOSTD PORTAL-HOST-HOOK
"""

import json
import os
import sys
import tempfile

from hostdev import DEVICES, DOMAIN
from hostdmachine import Hostd
from hostmachine import check_tree, expect, run_tests
from release import GPU, break_probe_until_forgotten, consoles, holders

POLICY = b"""assign gpu to controllers
controller desk
controller play
"""
GPU_DEVICES = [
    "pcie-root-port,id=port2,bus=pcie.0,addr=0x5,chassis=2,slot=2",
    "virtio-gpu-pci,bus=port2",
    "pcie-root-port,id=port3,bus=pcie.0,addr=0x6,chassis=3,slot=3",
    "nvme,bus=port3,drive=disk,serial=portal",
]
NVME = "1b36:0010"


def on_console(machine):
    return consoles(machine).get("frame buffer device", False)


def runs_with_the_card(machine, name):
    card = machine.one(GPU)
    expect("running" in machine.virsh("domstate", name), f"{name} runs")
    expect(card["driver"] == card["driverOverride"] == "vfio-pci", f"driver: {card}")
    expect([holder["name"].startswith("qemu-system") for holder in card["holders"]] == [True],
           f"holders: {card}")


def who_has_the_card_open_is_named_and_the_controller_does_not_start(machine):
    machine.run("modprobe virtio-gpu; until [ -e /dev/dri/card0 ]; do usleep 10000; done")
    card = machine.one(GPU)
    expect(holders(card) == ["console", "framebuffer"], f"holders: {card}")
    machine.define(DOMAIN, card["address"])
    machine.define(DOMAIN.replace("desk", "play"), card["address"])
    machine.wait_for('"state":"off"')
    machine.run("sleep 1000000 <>/dev/dri/card0 & echo $! >/tmp/pid")
    said = machine.virsh("start", "desk", status=1)
    expect("is in use" in said and "sleep (pid" in said, said)
    expect(machine.one(GPU)["driver"] == "virtio-pci", "the driver was moved")
    expect(on_console(machine), "the console was taken off")
    machine.run("kill $(cat /tmp/pid); wait $(cat /tmp/pid)", status=None)
    expect(holders(machine.one(GPU)) == holders(card), f"holders: {machine.one(GPU)}")


def a_boot_disk_among_the_devices_keeps_all_of_them_where_they_are(machine):
    card, disk = machine.one(GPU), machine.one(NVME)
    at = disk["address"]
    machine.run("mke2fs -q /dev/nvme0n1 && mkdir -p /boot && mount -t ext2 /dev/nvme0n1 /boot")
    transactions = "ls /tree/var/lib/portal/host/transactions 2>/dev/null"
    begun = machine.run(transactions, status=None)
    # By hand the survival guard keeps it; where the policy lets go of it, the mount does.
    said = machine.call("Take", json.dumps({"devices": [card["address"], at]}), status=1)
    expect(f"the survival guard (boot-disk) keeps {at}" in said, said)
    machine.write("/etc/portal/host.scfg",
                  POLICY + f"device {at} to controllers\nunguard {at}\n".encode())
    machine.call("Reload")
    said = machine.virsh("start", "desk", status=1)
    expect(f"{at} is in use: /boot is mounted from /dev/nvme0n1" in said, said)
    for before in (card, disk):
        now = machine.one(before["ids"])
        expect(now["driver"] == before["driver"] and now["driverOverride"] is None, f"moved: {now}")
    expect(holders(machine.one(GPU)) == holders(card), f"holders: {machine.one(GPU)}")
    expect(on_console(machine), "the console was taken off")
    expect(machine.run(transactions, status=None) == begun, "a change was begun")
    machine.write("/etc/portal/host.scfg", POLICY)
    machine.call("Reload")
    machine.run("echo still here >/boot/file && sync && umount /boot")


def a_controller_gets_the_card_and_the_console_goes(machine):
    machine.virsh("start", "desk")
    runs_with_the_card(machine, "desk")
    expect(not on_console(machine), "the console is still there")


def it_goes_to_the_next_controller_when_the_first_has_let_go(machine):
    since = machine.mark()
    machine.begin("Switch", '{"controller":"play"}')
    machine.hear("stop desk", since=since)
    runs_with_the_card(machine, "desk")
    expect("start play" not in machine.log(since), "before desk has let go")
    machine.virsh("destroy", "desk")
    machine.answer()
    runs_with_the_card(machine, "play")
    expect("return from" not in machine.log(since), "the host had it in between")


def it_returns_to_its_driver_with_the_console(machine):
    since = machine.mark()
    machine.virsh("destroy", "play")
    machine.hear("return from VMs .*: done", since=since)
    card = machine.one(GPU)
    expect(card["driver"] == "virtio-pci" and card["driverOverride"] is None, f"not back: {card}")
    expect(holders(card) == ["console", "framebuffer"], f"holders: {card}")
    expect(on_console(machine), "no console came back")
    # A person's order comes after a look at the machine, and what is written down then.
    machine.call("Recover")
    expect(machine.within("cat", "/var/lib/portal/host/assigned.scfg") == "", "still written down")


def a_card_that_resets_do_not_help_is_removed_and_found_again_for_the_controller(machine):
    # Nothing can be opened until the card was removed.
    break_probe_until_forgotten(machine, machine.one(GPU)["address"])
    machine.virsh("start", "desk")
    machine.run("wait $(cat /tmp/pid)")
    runs_with_the_card(machine, "desk")
    expect(machine.run("cat /sys/bus/pci/drivers_autoprobe") == "1", "autoprobe is off")
    since = machine.mark()
    machine.virsh("destroy", "desk")
    machine.hear("return from VMs .*: done", since=since)
    card = machine.one(GPU)
    expect(card["driver"] == "virtio-pci" and "framebuffer" in holders(card), f"not back: {card}")
    expect(on_console(machine), "no console came back")


def one_that_nothing_helps_keeps_the_controller_from_starting(machine):
    machine.run("mv /dev/vfio/vfio /dev/vfio/away")
    said = machine.virsh("start", "desk", status=1)
    machine.run("mv /dev/vfio/away /dev/vfio/vfio")
    expect("VFIO can open it" in said, said)
    card = machine.one(GPU)
    expect(card["driver"] == "virtio-pci" and card["driverOverride"] is None, f"not back: {card}")
    expect(holders(card) == ["console", "framebuffer"], f"holders: {card}")
    expect(on_console(machine), "no console came back")


def main():
    check_tree()
    with tempfile.TemporaryDirectory() as work:
        disk = os.path.join(work, "disk")
        with open(disk, "wb") as file:
            file.truncate(8 << 20)
        machine = Hostd(work, [os.path.realpath(path) for path in sys.argv[1:4]], POLICY,
                        modules=["nvme", "ext4"], later=["virtio-gpu"],
                        devices=[*DEVICES, *GPU_DEVICES],
                        options=["-drive", f"file={disk},format=raw,if=none,id=disk"])
        try:
            return 1 if run_tests(machine, [
                who_has_the_card_open_is_named_and_the_controller_does_not_start,
                a_boot_disk_among_the_devices_keeps_all_of_them_where_they_are,
                a_controller_gets_the_card_and_the_console_goes,
                it_goes_to_the_next_controller_when_the_first_has_let_go,
                it_returns_to_its_driver_with_the_console,
                a_card_that_resets_do_not_help_is_removed_and_found_again_for_the_controller,
                one_that_nothing_helps_keeps_the_controller_from_starting,
            ]) else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

"""portal-host on a real kernel: a QEMU machine with an IOMMU as the host.

machine.py PORTAL-HOST VFIO-USE

Every function below is one test, in order, and leaves the machine as it found it; but for the last
two, between which its power goes.
"""

import json
import os
import sys
import tempfile

from hostmachine import Machine, check_tree, expect, initramfs, run_tests

MODULES = ["e1000", "e1000e", "nvme", "xhci-pci", "usbhid", "hid-generic", "evdev", "ext4", "bochs",
           "vfio_iommu_type1"]

# Bus numbers are the firmware's choice; slots of the root bus are ours.
DEVICES = [
    "pcie-root-port,id=port1,bus=pcie.0,addr=0x4,chassis=1,slot=1",
    "pcie-root-port,id=port2,bus=pcie.0,addr=0x5,chassis=2,slot=2",
    "pcie-root-port,id=port3,bus=pcie.0,addr=0x6,chassis=3,slot=3",
    "pcie-root-port,id=port4,bus=pcie.0,addr=0x7,chassis=4,slot=4",
    "e1000e,bus=port1",
    "nvme,bus=port2,drive=disk,serial=portal",
    "qemu-xhci,id=usb,bus=port3",
    "usb-kbd,bus=usb.0",
    "edu,bus=pcie.0,addr=0x8",
    "bochs-display,bus=pcie.0,addr=0x3",
    # Two cards behind a bridge without ACS: one IOMMU group.
    "pcie-pci-bridge,id=bridge,bus=pcie.0,addr=0x9",
    "e1000,bus=bridge,addr=0x1",
    "e1000,bus=bridge,addr=0x2",
]

E1000E, E1000, NVME, XHCI, EDU = "8086:10d3", "8086:100e", "1b36:0010", "1b36:000d", "1234:11e8"
GPU = "1234:1111"


def the_inventory_is_what_qemu_was_told(machine):
    found = machine.devices()
    expect(found["iommu"], "no IOMMU")
    expect(not found["ps2Keyboard"], "a PS/2 keyboard where there is none")
    nic, disk, usb = machine.one(E1000E), machine.one(NVME), machine.one(XHCI)
    expect(nic["driver"] == "e1000e" and nic["category"] == "net", f"network card: {nic}")
    expect(nic["netKind"] == "ethernet", "not Ethernet")
    expect(disk["driver"] == "nvme" and disk["category"] == "storage", f"disk: {disk}")
    expect(usb["category"] == "usb", f"USB: {usb}")
    expect([holder["kind"] for holder in usb["holders"]] == ["input"], f"keyboard: {usb['holders']}")
    groups = {device["iommuGroup"] for device in machine.find(E1000)}
    expect(len(machine.find(E1000)) == 2 and len(groups) == 1, "two cards behind one bridge")
    expect(nic["iommuGroup"] not in groups, "the network card has a group of its own")


def a_recording_of_the_machine_replays_as_the_machine(machine):
    machine.host("record", "/tmp/recorded")
    live, replayed = machine.devices(), json.loads(
        machine.host("--machine", "/tmp/recorded", "--json", "list"))
    expect(live == replayed, "the recorded machine differs")


def a_device_goes_to_vfio_and_comes_back_to_its_driver(machine):
    nic = machine.one(E1000E)["address"]
    plan = json.loads(machine.host("--json", "take", nic, "--dry-run"))["plan"]
    expect(machine.one(E1000E)["driver"] == "e1000e", "a dry run changed something")
    said = machine.host("take", nic)
    for step in plan["steps"]:
        expect(step["driver"] in said, f"a planned step was not done: {step}")
    taken = machine.one(E1000E)
    expect(taken["driver"] == taken["driverOverride"] == "vfio-pci", f"not taken: {taken}")
    machine.host("return", nic)
    back = machine.one(E1000E)
    expect(back["driver"] == "e1000e" and back["driverOverride"] is None, f"not back: {back}")
    # The driver really works with it again.
    expect("eth" in machine.run(f"ls /sys/bus/pci/devices/{nic}/net"), "no interface came back")


def a_group_behind_a_bridge_moves_together(machine):
    first, second = machine.find(E1000)
    expect(first["driver"] == second["driver"] == "e1000", f"drivers: {first}, {second}")
    machine.host("take", first["address"])
    expect(all(card["driver"] == "vfio-pci" for card in machine.find(E1000)), "one stayed")
    groups = json.loads(machine.host("--json", "groups"))
    group, = [entry for entry in groups if entry["group"] == first["iommuGroup"]]
    expect(group["viable"], f"the group is not viable: {group}")
    machine.host("return", second["address"])
    expect([card["driver"] for card in machine.find(E1000)] == [first["driver"], second["driver"]],
           "not both came back")


def a_taken_device_does_dma_through_the_iommu(machine):
    edu = machine.one(EDU)
    expect(edu["driver"] is None, "edu has a driver")
    machine.host("take", edu["address"])
    expect(machine.run(f"vfio-use dma {edu['address']}") == "dma", "no DMA")
    machine.host("return", edu["address"])
    expect(machine.one(EDU)["driver"] is None, "edu has a driver")


def the_last_keyboard_and_a_mounted_disk_are_refused(machine):
    usb, disk = machine.one(XHCI)["address"], machine.one(NVME)["address"]
    said = machine.host("take", usb, status=3)
    expect("survival guard (input)" in said, said)
    machine.run("mke2fs -q /dev/nvme0n1 && mkdir -p /mnt && mount -t ext2 /dev/nvme0n1 /mnt")
    said = machine.host("take", disk, status=3)
    expect("/mnt is mounted from /dev/nvme0n1" in said, said)
    machine.run("umount /mnt")
    machine.host("take", disk)
    machine.host("return", disk)
    # The driver scans its namespaces in the background.
    machine.run("until [ -b /dev/nvme0n1 ]; do usleep 10000; done")
    expect(machine.one(NVME)["driver"] == "nvme", "the disk did not come back")


def the_only_way_to_any_network_is_refused(machine):
    nic = machine.one(E1000E)["address"]
    name = machine.run(f"ls /sys/bus/pci/devices/{nic}/net").strip()
    machine.run(f"ip address add 192.0.2.1/24 dev {name} && ip link set {name} up")
    said = machine.host("take", nic, status=3)
    expect("survival guard (network)" in said, said)
    expect(f"192.0.2.0/24 is reached through {name}" in said, said)
    machine.run(f"ip route add default via 192.0.2.2 dev {name} table 200")
    said = machine.host("take", nic, "--dry-run", status=3)
    expect(f"the default route of table 200 goes through {name}" in said, said)
    expect("unbind" not in said, said)
    holders = {(holder["kind"], holder["name"]) for holder in machine.one(E1000E)["holders"]}
    expect(holders == {("network", "192.0.2.0/24"), ("default-route", name)}, f"holders: {holders}")
    machine.host("take", nic, "--unguard", nic)
    expect(not machine.one(E1000E)["holders"], "a taken card carries a network")
    machine.host("return", nic)
    expect(not machine.one(E1000E)["holders"], "it has no address any more")


def a_graphics_card_with_the_console_on_it_changes_hands_without_a_reboot(machine):
    gpu = machine.one(GPU)
    address = gpu["address"]
    kinds = sorted(holder["kind"] for holder in gpu["holders"])
    expect(kinds == ["console", "framebuffer"], f"holders: {gpu['holders']}")
    said = machine.host("take", address, status=3)
    expect("is shown through it" in said, said)
    machine.run(f"sleep 1000 <>/dev/dri/card0 & echo $! >/tmp/pid")
    said = machine.host("release-gpu", address, status=3)
    expect("sleep (pid" in said, said)
    machine.run("kill $(cat /tmp/pid); wait", status=None)
    for _ in range(3):
        machine.host("release-gpu", address)
        taken = machine.one(GPU)
        expect(taken["driver"] == "vfio-pci" and not taken["holders"], f"not taken: {taken}")
        machine.host("return", address)
        back = machine.one(GPU)
        expect(back["driver"] == gpu["driver"], f"not back: {back}")
        # The console is on it again, without anybody's doing.
        expect(sorted(holder["kind"] for holder in back["holders"]) == kinds, f"{back['holders']}")


def a_device_held_through_vfio_is_named_and_blocks_its_return(machine):
    nic = machine.one(E1000E)["address"]
    machine.host("take", nic)
    machine.run("mkfifo /tmp/until /tmp/told")
    machine.run(f"vfio-use hold {nic} </tmp/until >/tmp/told & exec 7>/tmp/until; head -n1 /tmp/told")
    said = machine.host("return", nic, status=3)
    expect("vfio-use (pid" in said, said)
    # Past the check, as when a VM opens the device just after it: the kernel hangs in the unbind.
    machine.run(f"(echo {nic} >/sys/bus/pci/drivers/vfio-pci/unbind; echo let go >/tmp/done) 7>&- &")
    # Descriptor 7 is what keeps the holder: nobody else may have it.
    machine.run("exec 7>&-; wait; rm /tmp/until /tmp/told; cat /tmp/done")
    expect(machine.one(E1000E)["driver"] is None, "still bound")
    machine.host("return", nic)
    expect(machine.one(E1000E)["driver"] == "e1000e", "not back")


def return_blindly(machine, *args):
    """Begins a return that sees nobody, up to its unbinding: its /proc has no processes, in a mount
    namespace of its own."""
    machine.run("mkdir -p /tmp/blind/sys; unshare -m sh -c 'mount --bind /proc/sys /tmp/blind/sys && "
                f"mount --rbind /tmp/blind /proc && exec portal-host {' '.join(args)}' "
                ">/tmp/return 2>&1 7>&- & echo $! >/tmp/pid; "
                "until grep -q unbind /tmp/return; do usleep 10000; done")


def a_run_killed_in_a_hanging_unbind_is_undone_when_the_device_is_let_go(machine):
    nic = machine.one(E1000E)["address"]
    machine.host("take", nic)
    # The holder appears between the check and the unbinding: it opens the device while a /proc that
    # does not show it is looked at.
    machine.run("mkfifo /tmp/until /tmp/told")
    machine.run(f"vfio-use hold {nic} </tmp/until >/tmp/told & exec 7>/tmp/until; head -n1 /tmp/told")
    return_blindly(machine, "return", nic)
    machine.run("kill -9 $(cat /tmp/pid)")
    said = machine.host("recover", status=4)
    expect("another change of devices is under way" in said, said)
    machine.run("exec 7>&-; wait")
    machine.host("recover")
    taken = machine.one(E1000E)
    expect(taken["driver"] == taken["driverOverride"] == "vfio-pci", f"not as it was: {taken}")
    machine.run("rm /tmp/until /tmp/told")
    machine.host("return", nic)
    expect(machine.one(E1000E)["driver"] == "e1000e", "not back")


def a_named_card_is_found_after_it_moved_and_missed_when_it_is_gone(machine):
    machine.host("remember", machine.one(NVME)["address"], "disk")
    machine.monitor.execute("device_add", driver="e1000e", id="hot", bus="port4")
    machine.run("until [ $(ls /sys/bus/pci/drivers/e1000e | grep -c :) = 2 ]; do usleep 10000; done")
    first, second = machine.find(E1000E)
    machine.host("remember", second["address"], "hot")
    machine.host("take", "hot")
    expect(machine.find(E1000E)[1]["driver"] == "vfio-pci", "not taken by name")
    machine.host("return", "hot")
    machine.monitor.execute("device_del", id="hot")
    expect(machine.monitor.wait_event({"DEVICE_DELETED"}), "the card was not let go")
    machine.run(f"until [ ! -e /sys/bus/pci/devices/{second['address']} ]; do usleep 10000; done")
    known = {entry["name"]: entry["state"] for entry in json.loads(machine.host("--json", "known"))}
    # Another card of its kind is in the machine, in the first slot: the same, for all one can know.
    expect(known == {"disk": "present", "hot": "moved"}, f"known: {known}")
    machine.host("remember", first["address"], "first", status=3)
    machine.host("forget", "hot")
    machine.host("forget", "disk")


def what_cannot_be_written_changes_nothing_and_says_so(machine):
    nic = machine.one(E1000E)
    address = nic["address"]
    machine.run("mount --bind /sys /sys && mount -o remount,bind,ro /sys")
    said = machine.host("take", address, status=3)
    expect("/sys is mounted read-only" in said, said)
    machine.run("umount /sys")
    machine.run("mkdir -p /tmp/full && mount -t tmpfs -o ro none /tmp/full")
    said = machine.host("--state", "/tmp/full/state", "take", address, status=3)
    expect("/tmp/full/state" in said and "Read-only file system" in said, said)
    machine.run("umount /tmp/full")
    journal = "/tmp/corrupt/transactions/00000000000000000001.journal"
    machine.run(f"mkdir -p /tmp/corrupt/transactions && echo '00000000 {{}}' >{journal}")
    said = machine.host("--state", "/tmp/corrupt", "take", address, status=3)
    expect(f"{journal} is corrupt in line 1" in said, said)
    said = machine.host("--state", "/tmp/corrupt", "recover", status=4)
    expect(f"{journal} is corrupt in line 1" in said, said)
    machine.host("take", "0000:7f:00.0", status=1)
    expect(machine.one(E1000E) == nic, f"it changed: {machine.one(E1000E)}")


def the_power_goes_while_a_change_hangs(machine):
    nic = machine.one(E1000E)["address"]
    machine.run("mke2fs -q /dev/nvme0n1 && mkdir -p /mnt && mount -t ext2 /dev/nvme0n1 /mnt")
    machine.host("--state", "/mnt/state", "take", nic)
    machine.run("mkfifo /tmp/until /tmp/told")
    machine.run(f"vfio-use hold {nic} </tmp/until >/tmp/told & exec 7>/tmp/until; head -n1 /tmp/told")
    return_blindly(machine, "--state", "/mnt/state", "return", nic)
    machine.run("sync")


def the_next_boot_closes_the_change_and_finds_everything_as_boots_leave_it(machine):
    machine.run("mkdir -p /mnt; until mount -t ext2 /dev/nvme0n1 /mnt 2>/dev/null; do usleep 10000; done")
    before = json.loads(machine.host("--json", "--state", "/mnt/state", "transactions"))
    expect([entry["outcome"] for entry in before] == ["committed", "open"], f"{before}")
    expect(not any(entry["thisBoot"] for entry in before), f"of this boot: {before}")
    nic = machine.one(E1000E)
    said = machine.host("--state", "/mnt/state", "take", nic["address"], status=3)
    expect("recover first" in said, said)
    said = machine.host("--state", "/mnt/state", "recover")
    expect("the machine was booted since" in said, said)
    after = json.loads(machine.host("--json", "--state", "/mnt/state", "transactions"))
    expect([entry["outcome"] for entry in after] == ["committed", "undone"], f"{after}")
    expect(machine.one(E1000E) == nic and nic["driver"] == "e1000e", f"recovery changed it: {nic}")
    # What was taken before the boot is nobody's to return.
    said = machine.host("--state", "/mnt/state", "return", nic["address"], status=3)
    expect("was not taken since the machine was booted" in said, said)
    machine.host("--state", "/mnt/state", "take", nic["address"])
    machine.host("--state", "/mnt/state", "return", nic["address"])


TESTS = [
    the_inventory_is_what_qemu_was_told,
    a_recording_of_the_machine_replays_as_the_machine,
    a_device_goes_to_vfio_and_comes_back_to_its_driver,
    a_group_behind_a_bridge_moves_together,
    a_taken_device_does_dma_through_the_iommu,
    the_last_keyboard_and_a_mounted_disk_are_refused,
    the_only_way_to_any_network_is_refused,
    a_graphics_card_with_the_console_on_it_changes_hands_without_a_reboot,
    a_device_held_through_vfio_is_named_and_blocks_its_return,
    a_run_killed_in_a_hanging_unbind_is_undone_when_the_device_is_let_go,
    a_named_card_is_found_after_it_moved_and_missed_when_it_is_gone,
    what_cannot_be_written_changes_nothing_and_says_so,
]


def main():
    check_tree()
    programs = {"/bin/portal-host": sys.argv[1], "/bin/vfio-use": sys.argv[2]}
    archive = initramfs(os.environ["PORTAL_KERNEL_TREE"], programs, MODULES, ["vfio-pci"])
    with tempfile.TemporaryDirectory() as work:
        disk = os.path.join(work, "disk.img")
        with open(disk, "wb") as file:
            file.truncate(16 << 20)
        failed = 0
        for tests in ([*TESTS, the_power_goes_while_a_change_hangs],
                      [the_next_boot_closes_the_change_and_finds_everything_as_boots_leave_it]):
            machine = Machine(
                work, archive, DEVICES,
                options=["-drive", f"file={disk},format=raw,if=none,id=disk"])
            try:
                failed += run_tests(machine, tests)
            finally:
                machine.close()
        return 1 if failed else 0


sys.exit(main())

"""What `portal-host setup` writes, booted: a whole Debian system on a disk, with a boot loader, in a QEMU
machine with an IOMMU and two cards to spare.

setup_boot.py PORTAL-HOST INPUT-DEVICE grub|systemd-boot

Every function below is one test, in order: each goes on where the one before it left the machine.
"""

import json
import os
import shlex
import struct
import sys
import tempfile

import bootdisk
from hostmachine import expect, run_tests

GPU, NIC = "0000:00:08.0", "0000:01:00.0"
OWN_GPU = "0000:00:03.0"
# Of the network card while a bus more comes before its own.
MOVED_NIC = "0000:02:00.0"

DEVICES = [
    "pcie-root-port,id=port1,bus=pcie.0,addr=0x4,chassis=1,slot=1",
    # The host's own card and the one to spare are of one kind.
    "VGA,bus=pcie.0,addr=0x3",
    "e1000e,bus=port1",
]
# One more card of the network card's kind, at the address that this one had, and another one where the
# graphics card was: with its ids, of another class.
OTHER_DEVICES = [
    *DEVICES,
    "pcie-root-port,id=port0,bus=pcie.0,addr=0x2,chassis=2,slot=2",
    "e1000e,bus=port0",
    "VGA,bus=pcie.0,addr=0x8",
]

WORDS = {"intel_iommu=on", "iommu=pt"}
PAGES = ("--hugepages", "64", "--hugepages-1g", "1")


def image(kind):
    """The spare card's expansion ROM, of one image: code type 0 for a BIOS, 3 for UEFI."""
    rom = bytearray(2048)
    rom[0:2], rom[0x18] = b"\x55\xaa", 0x1c
    struct.pack_into("<4sHH", rom, 0x1c, b"PCIR", 0x1234, 0x1111)
    # The kernel wants to see how long the structure is.
    rom[0x26], rom[0x2c], rom[0x30], rom[0x31] = 0x18, len(rom) // 512, kind, 0x80
    return bytes(rom)


def snapshot(machine):
    """The files that a set-up may touch, or that are made of those: a line each."""
    files = ("$(ls -d etc boot/grub/grub.cfg boot/efi/loader 2>/dev/null) "
             "! -type d ! -name random-seed ! -name .updated")
    return set(machine.run(
        f"cd / && find {files} -printf '%p %M %u:%g %l\\n' && "
        f"find {files} -type f -exec sha256sum {{}} +").splitlines())


def expect_same(before, now):
    expect(now == before, "files differ:\n" + "\n".join(sorted(before ^ now)))


def drivers(machine, *addresses):
    """Who has these devices, or the two cards, once udev is through with all that came: the start
    does not wait for it."""
    machine.run("udevadm settle")
    found = {device["address"]: device["driver"] for device in machine.devices()["devices"]}
    return tuple(found[address] for address in addresses or (GPU, NIC))


def command_line(machine):
    return set(machine.run("cat /proc/cmdline").split())


def kernel_says(machine, address):
    """Of a device, since the start."""
    return machine.run(f"journalctl -k -b -o short-monotonic | grep -F {address}", status=None)


def kernel_names(machine, driver, address):
    """Did the driver say anything of the card since the start?"""
    return any(driver in line for line in kernel_says(machine, address).splitlines())


def follow(machine, said):
    """Runs what setup says is to be run."""
    lines = said.splitlines()
    first, last = lines.index("Now run, as root:"), lines.index("and start the machine anew.")
    expect(first + 1 < last, said)
    for line in lines[first + 1:last]:
        machine.run(line)


def expect_reserved(machine, words):
    expect(drivers(machine) == ("vfio-pci", "vfio-pci"), f"drivers: {drivers(machine)}")
    # Never another one, not even for a moment.
    expect(not kernel_names(machine, "e1000e", NIC), "e1000e had the network card first")
    expect(not kernel_names(machine, "bochs", GPU), "bochs had the graphics card first")
    own, = drivers(machine, OWN_GPU)
    expect(own.startswith("bochs"), f"the host's own card, of the same kind, is with {own}")
    expect(kernel_names(machine, "bochs", OWN_GPU), "the kernel's messages are not those looked for")
    expect(words <= command_line(machine), f"command line: {command_line(machine)}")
    groups = json.loads(machine.host("--json", "groups"))
    mine = [group for group in groups if {GPU, NIC} & set(group["devices"])]
    expect(len(mine) == 2 and all(group["viable"] for group in mine), f"groups: {groups}")


def expect_with_host(machine):
    gpu, nic = drivers(machine)
    expect(gpu and gpu.startswith("bochs") and nic == "e1000e",
           f"drivers: {gpu}, {nic}\n{kernel_says(machine, GPU)}\n{kernel_says(machine, NIC)}")


class State:
    """What one test leaves for a later one: the files before a set-up."""

    before = None


KEYBOARD = "/dev/input/by-id/portal-0006-1234-5678-event-kbd"


def plug_keyboard(machine):
    """One that udev has no path for; until unplug_keyboard()."""
    machine.run("modprobe uinput && mkfifo /tmp/until /tmp/told")
    machine.run("input-device bare </tmp/until >/tmp/told & exec 7>/tmp/until; head -n1 /tmp/told")
    machine.run("udevadm settle")


def unplug_keyboard(machine):
    machine.run("exec 7>&-; wait; rm /tmp/until /tmp/told")


def the_disk_gets_grub(machine):
    machine.run(f"sed -i '/^GRUB_CMDLINE_LINUX_DEFAULT=/s/=.*/=\"{bootdisk.WORDS}\"/' "
                "/etc/default/grub")
    machine.run("grub-install --recheck && update-grub")


def the_disk_gets_systemd_boot(machine):
    machine.run("dpkg --purge $(dpkg-query -Wf '${Package}\\n' 'grub*') && rm -rf /boot/grub")
    machine.run("bootctl install")
    # The kernel's modules have their index, and to make it anew each time takes minutes here.
    machine.run("ln -s /dev/null /etc/kernel/install.d/50-depmod.install")
    machine.run("kernel-install add $(uname -r) /boot/vmlinuz-$(uname -r)")


def the_system_is_as_its_people_left_it(machine):
    machine.run("useradd -m ann && useradd -r libvirt-qemu")
    # One driver that the initramfs loads by name; the other comes by udev.
    machine.run("echo bochs >>/etc/initramfs-tools/modules")
    State.before = snapshot(machine)
    expect_with_host(machine)


def a_card_whose_rom_is_for_a_bios_is_refused(machine):
    said = machine.host("setup", "--device", GPU)
    expect("was not looked at" in said and "Nothing was written" in said, said)
    machine.run(f"echo {GPU} >/sys/bus/pci/devices/{GPU}/driver/unbind")
    said = machine.host("setup", "--device", GPU, "--apply", status=3)
    expect("The ROM of 1234:1111 has no UEFI image" in said, said)
    expect(f"--device {GPU},rom=any" in said, said)
    expect_same(State.before, snapshot(machine))


def the_machine_is_set_up(machine):
    plug_keyboard(machine)
    event, = [line.split()[0] for line in machine.host("inputs").splitlines()
              if line.endswith(" bare")]
    said = machine.host(
        "setup", "--device", f"{GPU},rom=any", "--device", NIC, *PAGES, "--zram", "--audio", "ann",
        "--input", event, "--apply")
    expect(f"<source dev='{KEYBOARD}'" in said, said)
    follow(machine, said)
    machine.run(f"udevadm settle && test -c {KEYBOARD}")
    unplug_keyboard(machine)


def the_cards_are_with_vfio_from_the_start(machine):
    expect_reserved(machine, WORDS)
    said = machine.run("journalctl -k -b -o cat | grep 'Default domain type'")
    expect("Passthrough (set via kernel command line)" in said, said)


def a_card_whose_bus_has_another_number_is_with_vfio_from_the_start(machine):
    ids = {device["address"]: device["ids"] for device in machine.devices()["devices"]}
    expect(ids[NIC] == ids[MOVED_NIC], f"the machine's buses are others than those meant: {ids}")
    nic, = drivers(machine, MOVED_NIC)
    expect(nic == "vfio-pci", f"the network card is with {nic}")
    expect(not kernel_names(machine, "e1000e", MOVED_NIC), "e1000e had the network card first")


def cards_in_the_places_of_others_are_with_their_own_drivers(machine):
    expect_with_host(machine)
    expect(kernel_names(machine, "e1000e", NIC), "the kernel's messages are not those looked for")


def doctor_tells_of_the_card_that_is_not_where_it_was(machine):
    found = json.loads(machine.host("--json", "doctor", status=None))
    told = [entry for entry in found if entry["id"] == "reservation"]
    expect([entry["grade"] for entry in told] == ["problem"], f"{found}")
    expect(f"1234:1111 is there now ({GPU}), which the host's driver bochs" in told[0]["finding"],
           f"{told}")


def doctor_finds_what_the_set_up_made(machine):
    found = json.loads(machine.host("--json", "doctor", status=None))
    good = {entry["id"] for entry in found if entry["grade"] == "good"}
    problems = {entry["id"] for entry in found if entry["grade"] == "problem"}
    # There is no libvirt here, and an emulated processor is what it is.
    expect({"iommu", "vfio", "firmware", "group", "hugepages"} <= good, f"{found}")
    expect(problems <= {"libvirt", "processor", "kvm"}, f"{found}")


def huge_pages(machine):
    """Those of the default size, 2 MiB."""
    return int(machine.run("sed -n 's/^HugePages_Total: *//p' /proc/meminfo"))


def huge_pages_and_compressed_swap_are_there(machine):
    expect(huge_pages(machine) == 64, "no huge pages")
    large = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
    expect(machine.run(f"cat {large}") == "1", "no huge page of 1 GiB")
    expect("pagesize=1024M" in machine.run("findmnt -no OPTIONS /dev/hugepages1G"), "not mounted")
    expect("/dev/zram0" in machine.run("cat /proc/swaps"), "no compressed swap")


def the_shared_keyboard_and_the_sound_have_their_places(machine):
    plug_keyboard(machine)
    machine.run(f"test -c {KEYBOARD}")
    unplug_keyboard(machine)
    shown = machine.run("stat -c '%a %U %G' /run/portal-audio")
    expect(shown == "750 ann libvirt-qemu", shown)


def the_set_up_is_taken_back(machine):
    follow(machine, machine.host("setup", "--undo"))
    expect_same(State.before, snapshot(machine))


def the_cards_are_with_their_own_drivers_again(machine):
    expect_with_host(machine)
    expect(not WORDS & command_line(machine), f"command line: {command_line(machine)}")
    expect_same(State.before, snapshot(machine))
    expect(huge_pages(machine) == 0, "huge pages stayed")
    expect(machine.run("lsinitramfs /boot/initrd.img-$(uname -r) | grep -c portal", status=None)
           == "0", "something of it is in the initramfs")


def the_usual_entry_leaves_the_cards_with_the_host(machine):
    expect_with_host(machine)
    expect(WORDS <= command_line(machine), f"command line: {command_line(machine)}")
    expect("portal.vfio=1" not in command_line(machine), "it is the other entry")


def grub_is_told_to_start_the_entry_for_vms(machine):
    entry = machine.run("sed -nE \"s/.*menuentry_id_option '(portal-gnulinux-simple[^']*)'.*/\\1/p\" "
                        "/boot/grub/grub.cfg")
    machine.run(f"grub-reboot {shlex.quote(entry)}")


def systemd_boot_is_told_to_start_the_entry_for_vms(machine):
    machine.run("bootctl status | grep -q 'Product: systemd-boot'")
    machine.run("bootctl set-oneshot $(basename /boot/efi/loader/entries/*-portal.conf)")


def the_entry_for_vms_leaves_them_the_cards(machine):
    expect_reserved(machine, WORDS | {"portal.vfio=1"})


def a_card_whose_rom_is_for_uefi_is_taken(machine):
    machine.run(f"echo {GPU} >/sys/bus/pci/devices/{GPU}/driver/unbind")
    said = machine.host("setup", "--device", GPU)
    expect("was not looked at" not in said and "Nothing was written" in said, said)
    found = json.loads(machine.host("--json", "doctor", "--rom", GPU, status=None))
    expect(("rom", "good") in {(entry["id"], entry["grade"]) for entry in found}, f"{found}")
    machine.run(f"echo {GPU} >/sys/bus/pci/drivers_probe")
    expect_with_host(machine)


def an_entry_is_made(machine):
    said = machine.host("setup", "--device", f"{GPU},rom=any", "--device", NIC, "--entry", "--apply")
    expect("is chosen in the boot menu" in " ".join(said.split()), said)
    follow(machine, said)


def from_outside(work, disk):
    return bootdisk.DiskMachine(work, disk, with_rom(work, 0), kernel=True)


def with_its_cards(work, disk):
    return bootdisk.DiskMachine(work, disk, with_rom(work, 3))


def with_other_cards(work, disk):
    return bootdisk.DiskMachine(work, disk, OTHER_DEVICES)


# For each boot loader: the machine that is switched on, and what follows on each of its boots until it
# is switched off.
STARTS = {
    "grub": [
        (from_outside, [
            [the_disk_gets_grub, the_system_is_as_its_people_left_it,
             a_card_whose_rom_is_for_a_bios_is_refused, the_machine_is_set_up],
        ]),
        (with_its_cards, [
            [the_cards_are_with_vfio_from_the_start, doctor_finds_what_the_set_up_made,
             huge_pages_and_compressed_swap_are_there,
             the_shared_keyboard_and_the_sound_have_their_places, the_set_up_is_taken_back],
            [the_cards_are_with_their_own_drivers_again, a_card_whose_rom_is_for_uefi_is_taken,
             an_entry_is_made],
            [the_usual_entry_leaves_the_cards_with_the_host,
             grub_is_told_to_start_the_entry_for_vms],
            [the_entry_for_vms_leaves_them_the_cards, the_set_up_is_taken_back],
            [the_cards_are_with_their_own_drivers_again],
        ]),
    ],
    "systemd-boot": [
        (from_outside, [
            [the_disk_gets_systemd_boot, the_system_is_as_its_people_left_it,
             the_machine_is_set_up],
        ]),
        (with_other_cards, [
            [a_card_whose_bus_has_another_number_is_with_vfio_from_the_start,
             cards_in_the_places_of_others_are_with_their_own_drivers,
             doctor_tells_of_the_card_that_is_not_where_it_was],
        ]),
        (with_its_cards, [
            [the_cards_are_with_vfio_from_the_start, the_set_up_is_taken_back],
            [the_cards_are_with_their_own_drivers_again, an_entry_is_made],
            [the_usual_entry_leaves_the_cards_with_the_host,
             systemd_boot_is_told_to_start_the_entry_for_vms],
            [the_entry_for_vms_leaves_them_the_cards, the_set_up_is_taken_back],
            [the_cards_are_with_their_own_drivers_again],
        ]),
    ],
}


def with_rom(work, kind):
    """The cards, with a ROM of this kind on the one to spare."""
    rom = os.path.join(work, f"rom-{kind}")
    with open(rom, "wb") as file:
        file.write(image(kind))
    return [*DEVICES, f"secondary-vga,bus=pcie.0,addr=0x8,romfile={rom}"]


def run_all(machine, tests):
    """Nothing can follow on what failed. Did all go well?"""
    return all(run_tests(machine, [test]) == 0 for test in tests)


def run_start(machine, boots):
    """From a machine that is up until it is off. Did all go well?"""
    try:
        for number, tests in enumerate(boots):
            if number > 0:
                machine.reboot()
            if not run_all(machine, tests):
                return False
        machine.power_off()
        return True
    finally:
        machine.close()


def main():
    if not os.path.isdir(os.environ.get("PORTAL_BOOT_TREE", "")):
        raise SystemExit("PORTAL_BOOT_TREE names no tree: run this through tools/test --all")
    with tempfile.TemporaryDirectory() as work:
        disk = os.path.join(work, "disk.img")
        bootdisk.make(disk, {"/usr/local/bin/portal-host": sys.argv[1],
                             "/usr/local/bin/input-device": sys.argv[2]})
        well = all(run_start(start(work, disk), boots) for start, boots in STARTS[sys.argv[3]])
        return 0 if well else 1


sys.exit(main())

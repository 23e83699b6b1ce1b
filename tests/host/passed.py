"""A guest system that drives what it was given, within the machine of hostdev.py: a network card and
a disk that were passed to it, a ROM, huge pages, processors, a keyboard and a mouse that it shares with
its host; and what starts that fail leave behind.

passed.py PORTAL-HOST FRAMES KEYS

Two machines, one in the other: the outer one is the host, of libvirt and portal-host, whose processor's
virtualisation QEMU emulates, so that it has KVM; the inner one is the guest, a stock Debian kernel. What
its card sends comes out of the outer machine's QEMU, here.
"""

import hashlib
import os
import re
import shlex
import socket
import sys
import tempfile
import threading

from hostdev import CARD, DEVICES, ROM, Host
from hostmachine import Shell, check_tree, expect, initramfs, run_tests
from nested import guest_domain, put_guest

DISK = "1b36:0010"
DISK_BYTES = 8 << 20
MIB = 1 << 20
ETHER_TYPE = b"\x88\xb5"

HOST_MODULES = ["kvm_amd", "uinput", "evdev", "nvme"]
GUEST_MODULES = ["e1000e", "nvme", "virtio_input", "evdev"]
HUGE_PAGES = 160

# The kernel's numbers of keys, linux/input-event-codes.h.
ESC, LEFT_CTRL, A, D, C, B, RIGHT_CTRL, BUTTON = 1, 29, 30, 32, 46, 48, 97, 272
# The system call on x86-64.
PPOLL = 271

ROM_BYTES = 64 << 10


def make_rom():
    """As long as ROMs are: that of hostdev.py with its length, in blocks of 512 bytes, and content."""
    rom = bytearray(index * 7 % 251 for index in range(ROM_BYTES))
    rom[:len(ROM)] = ROM
    rom[0x2c:0x2e] = (ROM_BYTES // 512).to_bytes(2, "little")
    return bytes(rom)


def digest(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# What it shares with its host.
INPUTS = "<input type='keyboard' bus='virtio'/><input type='mouse' bus='virtio'/>"

WEB = """<domain type='qemu'><name>web</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
"""
# In place of a definition's end: its QEMU runs as that user.
USERS_OWN = """<seclabel type='static' model='dac' relabel='yes'><label>+64055:+64055</label></seclabel>
</domain>"""

# libvirt's hook: portal-host's, then a note of what the card's files are, and another program's
# refusal or somebody's change of the policy, where a test wants one.
HOOK = """#!/bin/sh
{portal_host} config-space hook "$@" || exit
[ "$1" = desk ] || exit 0
cd /sys/bus/pci/devices
echo "$2 $(stat -c '%U:%G:%a' 0000:01:00.0/config 0000:01:00.1/config | tr '\\n' ' ')" >>/run/modes
[ "$2" != "$(cat /run/forget)" ] || : >/etc/portal/host.scfg
[ "$2" != "$(cat /run/refuse)" ]
"""
POLICY = "config-space libvirt\n"
SHUT, OPEN = "root:root:644", "root:libvirt:660"


class Wire(threading.Thread):
    """The far end of the card's wire: sends each frame of tests/host/frames.c back, inverted."""

    def __init__(self):
        super().__init__(daemon=True)
        self.near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.frames = 0

    def run(self):
        while True:
            frame = self._far.recv(65536)
            if frame[12:14] == ETHER_TYPE:
                self.frames += 1
                self._far.send(frame[6:12] + frame[:6] + ETHER_TYPE +
                               bytes(byte ^ 0xff for byte in frame[14:]))


class Desk(Host):
    """The host, with the two programs, and the socket at which the guest's shell will answer."""

    def __init__(self, work, program, programs):
        self.wire = Wire()
        self.wire.start()
        self.disk = os.path.join(work, "disk")
        with open(self.disk, "wb") as file:
            file.write(os.urandom(DISK_BYTES))
        self.rom = os.path.join(work, "rom")
        with open(self.rom, "wb") as file:
            file.write(make_rom())
        self._guest_archive = os.path.join(work, "guest")
        with open(self._guest_archive, "wb") as file:
            file.write(initramfs(os.environ["PORTAL_KERNEL_TREE"], programs, GUEST_MODULES, []))
        self._guest_socket, end = socket.socketpair()
        card = "e1000e,bus=port1,addr=0x0.0x0,multifunction=on"
        super().__init__(
            work, program, lambda machine: machine.prepare(program), programs=programs,
            modules=HOST_MODULES,
            devices=[device.replace(card, f"{card},netdev=wire,mac=02:00:00:00:00:02")
                     for device in DEVICES] + [
                "pcie-root-port,id=port2,bus=pcie.0,addr=0x5,chassis=2,slot=2",
                "nvme,bus=port2,drive=disk,serial=portal",
                "virtserialport,chardev=guest,name=guest"],
            options=["-m", "3072",
                     "-netdev", f"dgram,id=wire,local.type=fd,local.str={self.wire.near.fileno()}",
                     "-drive", f"file={self.disk},format=raw,if=none,id=disk",
                     "-chardev", f"socket,id=guest,fd={end.fileno()}"],
            fds=[self.wire.near.fileno(), end.fileno()])
        end.close()
        self.card = self.find(CARD)[0]["address"]
        self.nvme = self.one(DISK)["address"]

    def prepare(self, program):
        put_guest(self, self._guest_archive)
        self.run(f"echo {HUGE_PAGES} >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
        self.run("mkdir -p /tree/dev/hugepages && mount -t hugetlbfs none /tree/dev/hugepages")
        self.run("mkdir -p /tree/etc/libvirt/hooks /tree/etc/portal")
        self.write("/etc/libvirt/hooks/qemu",
                   HOOK.format(portal_host=shlex.quote(program)).encode())
        self.run("chmod 755 /tree/etc/libvirt/hooks/qemu")
        self.set("policy", POLICY)
        self.set("forget", "")
        self.set("refuse", "")

    def set(self, what, text):
        path = {"policy": "/etc/portal/host.scfg"}.get(what, f"/run/{what}")
        self.write(path, text.encode())

    def new_guest(self):
        """The guest's shell, for a start of it."""
        return Shell(self._guest_socket, self._describe_guest)

    def _describe_guest(self):
        """What it said last, what its threads wait for, and how much they have run so far; whether it was
        stopped, and why."""
        said = self.run("tail -c 2000 /tree/run/console; dmesg | tail -5; "
                        "tail -c 2000 /tree/var/log/libvirt/qemu/desk.log; "
                        "for each in /proc/$(cat /tree/run/libvirt/qemu/desk.pid)/task/*; do "
                        "echo $(cat $each/comm): $(cat $each/wchan) "
                        "$(sed 's/.*) //' $each/stat | cut -d ' ' -f 12,13); done",
                        None)
        return (said + self.virsh("domstate", "desk", "--reason", status=None) +
                self.virsh("qemu-monitor-command", "desk", "--hmp", "info registers", status=None))

    def edit(self, name, *options):
        return self.host("domain", "edit", name, *options, "--apply")

    def start(self):
        """Starts the guest; its shell."""
        self.virsh("start", "desk")
        guest = self.new_guest()
        guest.wait_ready()
        return guest

    def wait_off(self):
        self.within("sh", "-c", "until [ \"$(virsh -q -c qemu:///system domstate desk)\" = 'shut off' ]; "
                    "do sleep 0.1; done")

    def modes(self):
        """What the card's files were at each of libvirt's steps since the last call: [(step, {modes})]."""
        lines = self.run("cat /tree/run/modes; rm -f /tree/run/modes").splitlines()
        return [(line.split()[0], set(line.split()[1:])) for line in lines]

    def config_modes(self):
        files = " ".join(f"/sys/bus/pci/devices/{self.card[:-1]}{number}/config" for number in "01")
        return set(self.within("sh", "-c", f"stat -c %U:%G:%a {files}").split())

    def free_huge_pages(self):
        return int(self.run("cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"))

    def type(self, *lines):
        """What keys make is to do, one after the other."""
        for line in lines:
            self.run(f"echo {line} >&8; read -r done <&9")

    def wait_for_qemu(self):
        """Until it has read all that was typed and moved: it looks at each device by itself, and what
        the mouse did before a toggle might be taken for what came after it. Then its first thread
        waits in ppoll().
        """
        pid = self.run("echo $(cat /tree/run/libvirt/qemu/desk.pid)")
        self.run(f"until read -r call rest </proc/{pid}/syscall && [ \"$call\" = {PPOLL} ]; "
                 "do usleep 10000; done")


def check_failed_start(machine, words, last):
    """A start fails, the window was open until then, and everything is shut."""
    said = machine.virsh("start", "--paused", "desk", status=1)
    expect(words in said, said)
    steps = machine.modes()
    opened = [step for step, modes in steps if modes == {OPEN}]
    expect(opened[:1] == ["prepare"] and opened[-1] == last, f"{words}: the window was open at {steps}")
    expect(machine.config_modes() == {SHUT}, f"{words}: it is {machine.config_modes()} after {steps}")
    expect(machine.run("ls /tree/var/lib/portal/host/config-space") == "", "records are left")


def a_start_that_fails_leaves_configuration_space_as_it_was(machine):
    machine.write("/tmp/desk.xml", guest_domain("desk", INPUTS).encode())
    machine.run(f"cp /lower{machine.rom} /tree/tmp/card.rom")
    machine.virsh("define", "/tmp/desk.xml")
    machine.edit("desk", "--device", f"{machine.card},rom=/tmp/card.rom")
    expect(machine.config_modes() == {SHUT}, f"at first: {machine.config_modes()}")
    check_failed_start(machine, "must be manually detached", "prepare")
    machine.host("take", machine.card)
    machine.set("refuse", "start")
    check_failed_start(machine, "Hook script execution failed", "start")
    # By then the window is closed already.
    machine.set("refuse", "started")
    check_failed_start(machine, "Hook script execution failed", "start")
    machine.set("refuse", "")
    machine.run("mv /tree/tmp/card.rom /tree/tmp/kept.rom")
    check_failed_start(machine, "card.rom", "start")
    machine.set("forget", "start")
    check_failed_start(machine, "card.rom", "start")
    machine.set("forget", "")
    machine.set("policy", POLICY)
    machine.run("mv /tree/tmp/kept.rom /tree/tmp/card.rom")


def heaps(machine, size):
    return machine.edit("web", "--heap", f"ivshmem,path=/dev/shm/portal-web,size={size}M")


def a_heap_that_was_resized_is_taken_by_qemu_whoever_starts_the_guest(machine):
    def file_size():
        return int(machine.run("stat -c %s /tree/dev/shm/portal-web")) // MIB

    machine.write("/tmp/web.xml", WEB.encode())
    machine.virsh("define", "/tmp/web.xml")
    heaps(machine, 16)
    for size in (16, 64, 32):
        heaps(machine, size)
        machine.virsh("start", "--paused", "web")
        expect(file_size() == size, f"QEMU's file has {file_size()} MiB, not {size}")
        machine.virsh("destroy", "web")
    machine.virsh("start", "--paused", "web")
    said = heaps(machine, 64)
    expect("it counts from its next start on" in said and file_size() == 32, said)
    said = machine.host("domain", "prepare", "web", status=3)
    expect("web runs" in said and file_size() == 32, said)
    machine.virsh("destroy", "web")
    # Another user's, and as Debian sets the kernel: his where this guest's QEMU is his, else planted.
    machine.run("echo 2 >/proc/sys/fs/protected_regular; chown 64055 /tree/dev/shm/portal-web")
    machine.run("! sh -c 'echo >>/tree/dev/shm/portal-web'")
    said = machine.host("domain", "prepare", "web", status=1)
    expect("/dev/shm/portal-web: it belongs to" in said and "remove it" in said, said)
    definition = machine.virsh("dumpxml", "--inactive", "web").replace("</domain>", USERS_OWN)
    machine.write("/tmp/web.xml", definition.encode())
    machine.virsh("define", "/tmp/web.xml")
    machine.host("domain", "prepare", "web")
    machine.virsh("start", "--paused", "web")
    expect(file_size() == 64, f"{file_size()} MiB")
    machine.virsh("destroy", "web")


def a_guest_system_comes_up_with_all_that_it_was_given(machine):
    keyboard, mouse = machine.run(
        "mkfifo /tmp/type /tmp/done; keys make </tmp/type >/tmp/done & exec 8>/tmp/type 9</tmp/done; "
        "read -r nodes <&9; echo $nodes").split()
    machine.keyboard, machine.mouse = keyboard, mouse
    machine.edit("desk", "--device", f"{machine.card},rom=/tmp/card.rom",
                 "--device", f"{machine.card[:-1]}1,rom-bar=off", "--device", machine.nvme,
                 "--hugepages", "2M", "--pin", "0=1", "--pin-emulator", "0",
                 "--suspend-to-mem", "off", "--evdev", f"{keyboard},grab=all", "--evdev", mouse)
    machine.host("take", machine.nvme)
    expect(machine.free_huge_pages() == HUGE_PAGES, f"{machine.free_huge_pages()} are free")
    machine.guest = machine.start()
    steps = machine.modes()
    expect(steps == [("prepare", {OPEN}), ("start", {OPEN}), ("started", {SHUT})], f"{steps}")
    expect(HUGE_PAGES - machine.free_huge_pages() == 128,
           f"256 MiB are 128 huge pages, and of {HUGE_PAGES} are free {machine.free_huge_pages()}")


def its_driver_moves_data_through_its_card(machine):
    guest, before = machine.guest, machine.wire.frames
    guest.run("ip link set eth0 up; until [ \"$(cat /sys/class/net/eth0/carrier)\" = 1 ]; "
              "do usleep 10000; done")
    driver = guest.run("basename $(readlink -f /sys/class/net/eth0/device/driver)")
    expect(driver == "e1000e", f"the driver: {driver}")
    expect(guest.run("frames eth0 64") == "64 frames", "frames")
    expect(machine.wire.frames - before == 64, f"{machine.wire.frames - before} came out here")
    counts = guest.run("awk '/eth0/ { print $2 }' /proc/interrupts").split()
    expect(any(int(count) > 0 for count in counts), f"no interrupt of it came: {counts}")
    # The other function has no wire, and a driver all the same.
    names = guest.run("ls /sys/bus/pci/drivers/e1000e | grep :").split()
    expect([name[-2:] for name in names] == [".0", ".1"], f"one card of two functions: {names}")


def its_driver_moves_data_to_and_from_its_disk(machine):
    with open(machine.disk, "rb") as file:
        data = file.read()
    said = machine.guest.run("md5sum </dev/nvme0n1").split()[0]
    expect(said == digest(data), "what it reads is not what the disk has")
    machine.guest.run("dd if=/dev/nvme0n1 of=/dev/nvme0n1 bs=1M count=4 seek=4 conv=notrunc,fsync 2>&1")
    with open(machine.disk, "rb") as file:
        expect(file.read() == data[:4 * MIB] * 2, "what it wrote is not on the disk")


def functions(guest):
    """The card's, as directories in the guest's sysfs."""
    return guest.run("for each in /sys/bus/pci/drivers/e1000e/*:*; do readlink -f $each; done").split()


def it_sees_the_rom_that_was_named_and_none_where_it_was_shut(machine):
    first, second = functions(machine.guest)
    machine.guest.run(f"echo 1 >{first}/rom")
    expect(machine.guest.run(f"md5sum <{first}/rom").split()[0] == digest(make_rom()), "another ROM: "
           + machine.guest.run("dmesg | grep -i rom | tail -5", None))
    machine.guest.run(f"[ ! -e {second}/rom ]")


def its_processor_and_qemu_run_where_they_were_pinned(machine):
    pid = machine.run("echo $(cat /tree/run/libvirt/qemu/desk.pid)")
    said = machine.run(f"for each in /proc/{pid}/task/*; do echo $(cat $each/comm), "
                       "$(grep Cpus_allowed_list $each/status); done")
    allowed = dict(re.findall(r"^(.*), Cpus_allowed_list: (\S+)$", said, re.M))
    expect(allowed.get("CPU 0/KVM") == "1", f"the virtual processor: {said}")
    others = {name: cpus for name, cpus in allowed.items() if name.startswith("qemu-system")}
    expect(others and set(others.values()) == {"0"}, f"QEMU's own threads: {said}")


def it_cannot_suspend_where_that_was_forbidden(machine):
    said = machine.guest.run("dmesg | grep 'ACPI: PM: (supports'")
    expect("S3" not in said.split() and "(supports" in said, said)


def keys_and_ways_come_to_whom_the_toggle_says(machine):
    guest = machine.guest

    def listen(shell, where, node, last):
        shell.run(f"keys hear {node} {last} >/tmp/{where} & until grep -q ready /tmp/{where}; "
                  "do usleep 10000; done")

    for name, what, last in (("Keyboard", "keys", ESC), ("Mouse", "ways", BUTTON)):
        node = guest.run(f"cd /sys/class/input; for each in event*; do grep -q 'QEMU Virtio {name}' "
                         "$each/device/name && echo /dev/input/$each; done; true")
        listen(guest, what, node, last)
    listen(machine, "keys", machine.keyboard, C)
    listen(machine, "ways", machine.mouse, BUTTON)
    toggle = f'"{LEFT_CTRL} {RIGHT_CTRL}"'
    machine.type("grabbed", A, "move 5", B)
    machine.wait_for_qemu()
    machine.type(toggle, "free", C, "move 7", "click")
    machine.wait_for_qemu()
    machine.type(toggle, "grabbed", D, "move 9", "click", ESC)
    heard = [line for line in guest.run("wait; cat /tmp/keys").splitlines()
             if line not in ("ready", f"key {LEFT_CTRL}", f"key {RIGHT_CTRL}")]
    expect(heard == [f"key {A}", f"key {B}", f"key {D}", f"key {ESC}"], f"the guest's keys: {heard}")
    ways = guest.run("cat /tmp/ways").splitlines()
    expect(ways == ["ready", "move 5", "move 9", f"key {BUTTON}"], f"the guest's ways: {ways}")
    said = machine.run("cat /tmp/keys").splitlines()
    expect(said == ["ready", f"key {C}"], f"the host's keys: {said}")
    said = machine.run("cat /tmp/ways").splitlines()
    expect(said == ["ready", "move 7", f"key {BUTTON}"], f"the host's ways: {said}")


def it_ends_by_itself_and_its_devices_work_on_the_host_again(machine):
    machine.guest.send("poweroff -f")
    machine.wait_off()
    expect(machine.free_huge_pages() == HUGE_PAGES, f"{machine.free_huge_pages()} are free")
    machine.host("return", machine.card)
    machine.host("return", machine.nvme)
    expect([card["driver"] for card in machine.find(CARD)] == ["e1000e", "e1000e"], "the card")
    name = machine.run(f"ls /sys/bus/pci/devices/{machine.card}/net")
    machine.run(f"ip link set {name} up; until [ \"$(cat /sys/class/net/{name}/carrier)\" = 1 ]; "
                "do usleep 10000; done")
    before = machine.wire.frames
    expect(machine.run(f"frames {name} 16") == "16 frames", "frames")
    expect(machine.wire.frames - before == 16, f"{machine.wire.frames - before} came out here")
    machine.run("until [ -b /dev/nvme0n1 ]; do usleep 10000; done")
    with open(machine.disk, "rb") as file:
        expect(machine.run("md5sum </dev/nvme0n1").split()[0] == digest(file.read()), "the disk")


def taken_out_again_the_guest_has_nothing_of_it(machine):
    """The other way round, so that nothing above was there by itself."""
    said = machine.edit("desk", "--remove-device", machine.nvme, "--device",
                        f"{machine.card[:-1]}1,rom-bar=default", "--device",
                        f"{machine.card},rom=none", "--hugepages", "off", "--unpin",
                        "--suspend-to-mem", "on", "--remove-evdev", machine.keyboard,
                        "--remove-evdev", machine.mouse)
    expect("changed desk" in said, said)
    machine.host("take", machine.card)
    guest = machine.start()
    expect(machine.free_huge_pages() == HUGE_PAGES, f"{machine.free_huge_pages()} are free")
    said = guest.run("dmesg | grep 'ACPI: PM: (supports'")
    expect("S3" in said.split(), said)
    guest.run("[ ! -e /dev/nvme0 ]")
    for function in functions(guest):
        guest.run(f"echo 1 >{function}/rom")
        size = int(guest.run(f"head -c {ROM_BYTES + 512} {function}/rom | wc -c"))
        expect(size == ROM_BYTES + 512, f"the card's own ROM is longer than {size} bytes")
    pid = machine.run("echo $(cat /tree/run/libvirt/qemu/desk.pid)")
    said = machine.run(f"cat /proc/{pid}/task/*/status | grep Cpus_allowed_list | uniq")
    expect(said.split()[1:] == ["0-1"], f"pinned: {said}")
    machine.type("free")
    guest.send("poweroff -f")
    machine.wait_off()
    machine.host("return", machine.card)


TESTS = [
    a_start_that_fails_leaves_configuration_space_as_it_was,
    a_heap_that_was_resized_is_taken_by_qemu_whoever_starts_the_guest,
    a_guest_system_comes_up_with_all_that_it_was_given,
    its_driver_moves_data_through_its_card,
    its_driver_moves_data_to_and_from_its_disk,
    it_sees_the_rom_that_was_named_and_none_where_it_was_shut,
    its_processor_and_qemu_run_where_they_were_pinned,
    it_cannot_suspend_where_that_was_forbidden,
    keys_and_ways_come_to_whom_the_toggle_says,
    it_ends_by_itself_and_its_devices_work_on_the_host_again,
    taken_out_again_the_guest_has_nothing_of_it,
]


def main():
    check_tree()
    program, frames, keys = (os.path.realpath(path) for path in sys.argv[1:4])
    with tempfile.TemporaryDirectory() as work:
        machine = Desk(work, program, {"/bin/frames": frames, "/bin/keys": keys})
        try:
            return 1 if run_tests(machine, TESTS) else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

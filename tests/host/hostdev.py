"""A VM that libvirt starts with a device that portal-host gave it, where VFIO is real: a libvirtd and
its QEMU within a QEMU machine with an IOMMU, on this machine's file tree.

hostdev.py PORTAL-HOST
"""

import os
import re
import shlex
import sys
import tempfile

from hostmachine import Machine, check_tree, expect, initramfs, run_tests
from portalvm import libvirt

# Of two functions, which a root port keeps in one IOMMU group.
CARD = "8086:10d3"
DEVICES = [
    "pcie-root-port,id=port1,bus=pcie.0,addr=0x4,chassis=1,slot=1",
    "e1000e,bus=port1,addr=0x0.0x0,multifunction=on",
    "e1000e,bus=port1,addr=0x0.0x1",
    "virtio-9p-pci,fsdev=tree,mount_tag=tree,bus=pcie.0,addr=0x10",
]
MODULES = ["e1000e", "9p", "9pnet_virtio", "overlay", "vfio_iommu_type1"]

# The file tree, shared for reading, with memory laid over it.
SHARE = ["-m", "2048", "-smp", "2",
         "-fsdev", "local,id=tree,path=/,security_model=none,readonly=on,multidevs=remap"]
TREE = [
    "mkdir -p /lower /over /tree",
    "mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 tree /lower",
    "mount -t tmpfs over /over",
    "mkdir /over/upper /over/work",
    "mount -t overlay -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work tree /tree",
    "mkdir -p /dev/pts /dev/shm",
    "mount -t devpts devpts /dev/pts",
    "for each in proc sys dev; do mount --rbind /$each /tree/$each; done",
    "mkdir -p /tree/usr/lib/modules && mount --bind /lib/modules /tree/usr/lib/modules",
    "for each in tmp run dev/shm etc/libvirt var/lib/libvirt var/cache/libvirt var/log/libvirt; do "
    "mkdir -p /tree/$each && mount -t tmpfs tmpfs /tree/$each; done",
]

# The start of an expansion ROM of one image for UEFI: signature, pointer, PCI data structure.
ROM = bytes([0x55, 0xaa]) + bytes(22) + bytes([0x1c, 0]) + bytes(2) + b"PCIR" + \
    bytes([0x86, 0x80, 0xd3, 0x10]) + bytes([0, 0, 0x18, 0, 0, 0, 0, 2, 1, 0, 0, 0, 3, 0x80])

DOMAIN = """<domain type='qemu'><name>desk</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
"""


class Host(Machine):
    """The machine with a libvirtd in it."""

    def __init__(self, work, program, prepare=None, *, programs=None, modules=(), later=(),
                 devices=DEVICES, options=(), fds=()):
        """prepare: called with the machine before its libvirtd starts; modules, later: more of those
        that are loaded at boot, and that can be; programs, in its initramfs; the rest as Machine."""
        super().__init__(
            work, initramfs(os.environ["PORTAL_KERNEL_TREE"], programs or {}, [*MODULES, *modules],
                            ["vfio-pci", *later]),
            devices, options=[*SHARE, *options], fds=fds)
        self._program = program
        for line in TREE:
            self.run(line)
        self.write("/etc/libvirt/qemu.conf", libvirt.QEMU_CONF.format(user="root").encode())
        self.write("/etc/libvirt/libvirtd.conf", libvirt.LIBVIRTD_CONF.encode())
        if prepare:
            prepare(self)
        self.within("libvirtd", "--daemon")

    def write(self, path, data):
        escaped = "".join(f"\\0{byte:03o}" for byte in data)
        self.run(f"printf %b '{escaped}' >/tree{path}")

    def within(self, *command, status=0):
        """Runs a program of the file tree."""
        return self.run("chroot /tree /usr/bin/env HOME=/tmp PATH=/usr/sbin:/usr/bin "
                        f"LC_ALL=C.UTF-8 {shlex.join(command)} </dev/null", status)

    def virsh(self, *arguments, status=0):
        return self.within("virsh", "--quiet", "--connect", "qemu:///system", *arguments,
                           status=status)

    def host(self, *args, status=0):
        return self.within(self._program, *args, status=status)


def a_vm_runs_with_the_card_it_was_given(machine):
    first, second = machine.find(CARD)
    expect(first["iommuGroup"] == second["iommuGroup"], f"one group: {first}, {second}")
    machine.write("/tmp/desk.xml", DOMAIN.encode())
    machine.write("/tmp/card.rom", ROM.ljust(512, b"\0"))
    machine.virsh("define", "/tmp/desk.xml")
    said = machine.host("domain", "edit", "desk", "--device",
                        f"{first['address']},rom=/tmp/card.rom", "--apply")
    expect(f"{second['address']} comes along" in said and "changed desk" in said, said)

    # libvirt moves no drivers for it: the host still has the card.
    said = machine.virsh("start", "--paused", "desk", status=1)
    expect("must be manually detached" in said, said)
    expect(machine.find(CARD)[0]["driver"] == "e1000e", "the driver was moved")

    machine.host("take", first["address"])
    machine.virsh("start", "--paused", "desk")
    for card in machine.find(CARD):
        holders = [holder["name"] for holder in card["holders"]]
        expect(card["driver"] == "vfio-pci", f"driver: {card}")
        expect(any(name.startswith("qemu-system") for name in holders), f"holders: {card}")
    # "bus: ua-portal-port-…", and in it "dev: vfio-pci, …" with "addr = 00.0".
    tree = machine.virsh("qemu-monitor-command", "desk", "--hmp", "info qtree")
    bus = tree[tree.index("bus: ua-portal-port-0000-01-00"):]
    places = re.findall(r"dev: vfio-pci, [^\n]*\n(?:(?! *dev: )[^\n]*\n)*? +addr = (\S+)", bus)
    expect(places == ["00.0", "00.1"] or places == ["00.1", "00.0"],
           f"one slot behind its own port: {places}")
    expect('romfile = "/tmp/card.rom"' in bus, f"the ROM that was named: {bus}")
    said = machine.host("return", first["address"], status=3)
    expect("qemu-system" in said, said)

    machine.virsh("destroy", "desk")
    machine.host("return", first["address"])
    expect([card["driver"] for card in machine.find(CARD)] == ["e1000e", "e1000e"], "not back")


def main():
    check_tree()
    with tempfile.TemporaryDirectory() as work:
        machine = Host(work, os.path.realpath(sys.argv[1]))
        try:
            return 1 if run_tests(machine, [a_vm_runs_with_the_card_it_was_given]) else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

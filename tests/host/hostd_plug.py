"""portal-hostd and devices that come and go while a controller runs: plugged into and out of a QEMU
machine with an IOMMU, in which the controller's own machine runs.

hostd_plug.py PORTAL-HOST PORTAL-HOSTD PORTAL-HOST-HOOK
"""

import os
import sys
import tempfile

from hostdev import CARD, DEVICES, DOMAIN
from hostdmachine import Hostd
from hostmachine import check_tree, expect, run_tests
from portalvm import archive

POLICY = b"""assign net to controllers
controller desk
controller play
"""

# Its driver is not loaded before it comes.
PLUG = "8086:10c9"
# Of two functions, in one IOMMU group. The kernel would not look for a second one behind igb, which has
# ARI and names none.
DOUBLE = "1af4:1041"
PORT = "pcie-root-port,id=port2,bus=pcie.0,addr=0x5,chassis=2,slot=2"

PORTS = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
    f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in (1, 2))
# A system that can be told of what comes and goes, and says so.
SYSTEM = """<kernel>{kernel}</kernel><initrd>/tmp/system</initrd>
<cmdline>console=ttyS0 quiet panic=-1 mitigations=off</cmdline></os>"""
SERIAL = "<serial type='file'><source path='/tmp/system.log'/></serial></devices>"
INIT = b"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
(until [ -e /told ]; do
	echo change >/sys/class/mem/null/uevent
	/bin/busybox usleep 100000
done
echo "@ ready") &
exec /bin/busybox uevent /report
"""
REPORT = b"""#!/bin/busybox sh
>/told
[ "$SUBSYSTEM" != pci ] || echo "@ $ACTION $PCI_ID"
"""


def kernel():
    tree = os.environ["PORTAL_KERNEL_TREE"]
    version, = os.listdir(os.path.join(tree, "usr/lib/modules"))
    return os.path.join(tree, "usr/lib/modules", version, "vmlinuz")


def write_system(work):
    """The system's initramfs, where the machine can copy it from."""
    with open("/bin/busybox", "rb") as file:
        busybox = file.read()
    with open(os.path.join(work, "system"), "wb") as file:
        file.write(archive.pack({"/bin/busybox": (busybox, 0o755), "/init": (INIT, 0o755),
                                 "/report": (REPORT, 0o755)}))


def domain(name, system=False):
    xml = DOMAIN.replace("desk", name).replace("<devices>", "<devices>" + PORTS)
    if system:
        # The virtualisation that QEMU emulates: two translations would take too long.
        xml = xml.replace("type='qemu'", "type='kvm'")
        xml = xml.replace("<devices>", "<cpu mode='host-passthrough'/><devices>")
        xml = xml.replace("<memory unit='MiB'>64", "<memory unit='MiB'>256")
        xml = xml.replace("</os>", SYSTEM.format(kernel=kernel()))
        xml = xml.replace("</devices>", SERIAL)
    return xml


def plug(machine):
    machine.monitor.execute("device_add", driver="igb", id="plug", bus="port2")


def pull(machine):
    machine.monitor.execute("device_del", id="plug")


def wait_until_gone(machine):
    while machine.monitor.wait_event({"DEVICE_DELETED"})["data"].get("device") != "plug":
        pass


def plug_both(machine):
    """A card of two functions: the slot is looked at when the first is there. Each says that there are
    several, since the kernel asks each alone for its IOMMU group as it comes."""
    options = {"driver": "virtio-net-pci", "bus": "port2", "multifunction": True, "disable-legacy": "on",
               "iommu_platform": True}
    machine.monitor.execute("device_add", id="second", addr="0x0.0x1", **options)
    machine.monitor.execute("device_add", id="plug", addr="0x0.0x0", **options)


def live_devices(machine, name):
    return machine.virsh("dumpxml", name).count("<hostdev ")


def a_card_that_is_plugged_in_comes_to_the_controller_that_runs(machine):
    machine.define(domain("desk", system=True))
    machine.define(domain("play"))
    machine.wait_for('"state":"off"')
    machine.virsh("start", "desk")
    machine.follow("/tmp/system.log", "@ ready")
    expect(live_devices(machine, "desk") == 0, "what its definition does not have is not attached")
    plug(machine)
    machine.hear("attach .* to desk: done")
    card = machine.one(PLUG)
    expect(card["driver"] == "vfio-pci", f"driver: {card}")
    expect(any(holder["name"].startswith("qemu-system") for holder in card["holders"]),
           f"holders: {card}")
    bus = int(card["address"][5:7], 16)
    live = machine.virsh("dumpxml", "desk")
    expect(f"<address domain='0x0000' bus='0x{bus:02x}' slot='0x00' function='0x0'/>" in live, live)
    expect("<hostdev " not in machine.virsh("dumpxml", "--inactive", "desk"), "the definition")
    machine.follow("/tmp/system.log", f"@ add {PLUG.upper()}")


def one_that_is_pulled_out_is_let_go_by_the_controller(machine):
    address = machine.one(PLUG)["address"]
    since = machine.mark()
    pull(machine)
    wait_until_gone(machine)
    machine.follow("/tmp/system.log", f"@ remove {PLUG.upper()}")
    said = machine.hear(f"{address} .*is gone", since=since)
    expect(f"{address} {PLUG} is gone: desk had it" in said, said)
    expect(machine.find(PLUG) == [], "it is still there")
    expect(live_devices(machine, "desk") == 0, "libvirt still has it")
    expect(address not in machine.within("cat", "/var/lib/portal/host/assigned.scfg"),
           "it is still written down")
    expect([card["driver"] for card in machine.find(CARD)] == ["vfio-pci", "vfio-pci"],
           "the others stay with the controller")
    rest = machine.log(since).split("\n")
    expect(len([line for line in rest if address in line]) == 1, f"one line: {rest}")


def one_that_comes_again_is_attached_again_and_returns_with_the_controllers_end(machine):
    since = machine.mark()
    plug(machine)
    machine.hear("attach .* to desk: done", since=since)
    expect(live_devices(machine, "desk") == 1, "not attached")
    address = machine.one(PLUG)["address"]
    machine.virsh("destroy", "desk")
    machine.hear("return from VMs .*: done", 3, since)
    # The driver that udev had loaded for it.
    expect(machine.one(PLUG)["driver"] == "igb", f"not back: {machine.one(PLUG)}")
    expect([card["driver"] for card in machine.find(CARD)] == ["e1000e", "e1000e"], "not back")
    pull(machine)
    wait_until_gone(machine)
    said = machine.hear(f"{address} .*is gone", since=since)
    expect("had it" not in said, said)


def all_functions_of_one_come_and_go_together(machine):
    machine.virsh("start", "desk")
    machine.follow("/tmp/system.log", "@ ready")
    since = machine.mark()
    plug_both(machine)
    machine.hear("attach .* to desk: done", 2, since)
    first, second = machine.find(DOUBLE)
    expect(first["iommuGroup"] == second["iommuGroup"], f"one group: {first}, {second}")
    live = machine.virsh("dumpxml", "desk")
    for card in (first, second):
        bus, function = int(card["address"][5:7], 16), card["address"][-1]
        expect(f"<address domain='0x0000' bus='0x{bus:02x}' slot='0x00' function='0x{function}'/>" in live,
               live)
    machine.follow("/tmp/system.log", f"@ add {DOUBLE.upper()}", 2)
    # What the controller has by itself is no reason to have it again.
    machine.call("Recover")
    expect(machine.log(since).count("attach ") == 2, machine.log(since))
    machine.virsh("destroy", "desk")
    machine.hear("return from VMs .*: done", 4, since)
    drivers = [card["driver"] for card in machine.find(DOUBLE)]
    expect(drivers == ["virtio-pci", "virtio-pci"], f"not back: {drivers}")
    pull(machine)
    wait_until_gone(machine)
    machine.hear(f"{first['address']} .*is gone", since=since)


def one_that_a_controller_does_not_let_go_of_goes_with_the_controllers_end(machine):
    # Without a system there is nobody to let it go.
    machine.virsh("start", "play")
    since = machine.mark()
    plug(machine)
    machine.hear("attach .* to play: done", since=since)
    address = machine.one(PLUG)["address"]
    # Who let one go before was asked as well.
    asked = int(machine.run("dmesg | grep -c 'Relaying device request'", status=None))
    pull(machine)
    # It waits in the kernel. Nothing else does.
    machine.within("grep", "-a", "-m", str(asked + 1), "Relaying device request", "/dev/kmsg")
    card = machine.one(PLUG)
    expect(card["driver"] is None, f"the kernel does not remove it: {card}")
    expect(any(holder["name"].startswith("qemu-system") for holder in card["holders"]),
           f"nobody holds it: {card}")
    # A person's order comes after a look at the machine, and what is decided then.
    machine.call("Recover")
    said = machine.log(since)
    expect("is gone" not in said and said.count(f"give to play {address}") == 1, said)
    machine.virsh("destroy", "play")
    wait_until_gone(machine)
    machine.hear(f"{address} {PLUG} is gone", since=since)
    for card in machine.find(CARD):
        machine.hear(f"return from VMs {card['address']}: done", since=since)
    expect([card["driver"] for card in machine.find(CARD)] == ["e1000e", "e1000e"], "not back")
    # Once more: what was given back is crossed out at the next look.
    machine.call("Recover")
    expect(machine.within("cat", "/var/lib/portal/host/assigned.scfg") == "", "written down")


def what_finds_no_port_is_said_and_comes_back(machine):
    machine.virsh("undefine", "desk")
    machine.define(DOMAIN)
    machine.virsh("start", "desk")
    since = machine.mark()
    plug(machine)
    said = machine.hear("attach .* to desk: ", since=since)
    expect("no empty root port" in said, said)
    expect(machine.one(PLUG)["driver"] == "vfio-pci", "it waits for the controller's next start")
    machine.virsh("destroy", "desk")
    machine.hear("return from VMs .*: done", 3, since)
    expect(machine.one(PLUG)["driver"] == "igb", f"not back: {machine.one(PLUG)}")


def main():
    check_tree()
    with tempfile.TemporaryDirectory() as work:
        write_system(work)
        machine = Hostd(work, [os.path.realpath(path) for path in sys.argv[1:4]], POLICY,
                        modules=["kvm_amd"], later=["igb"], devices=[*DEVICES, PORT])
        try:
            machine.run(f"cp /lower{work}/system /tree/tmp/system")
            return 1 if run_tests(machine, [
                a_card_that_is_plugged_in_comes_to_the_controller_that_runs,
                one_that_is_pulled_out_is_let_go_by_the_controller,
                one_that_comes_again_is_attached_again_and_returns_with_the_controllers_end,
                all_functions_of_one_come_and_go_together,
                one_that_a_controller_does_not_let_go_of_goes_with_the_controllers_end,
                what_finds_no_port_is_said_and_comes_back,
            ]) else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

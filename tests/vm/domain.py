"""portal-host's changes to domains of a real libvirtd.

domain.py define|heaps: definitions given to libvirt and read back; guests' heaps that come to a running
controller VM and go again.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import vmtest
from portalvm import archive, guest, images, libvirt, wait
from portalvm.console import Console
from portalvm.programs import Programs

MACHINE = os.path.join(vmtest.TOP, "tests", "machines", "two-gpu-desktop.machine")
MIB = 1 << 20

DESK = """
<domain type='qemu'>
  <name>desk</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>
  <metadata><my:notes xmlns:my='https://example.org/notes'>two  blanks</my:notes></metadata>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/><memballoon model='none'/>
    <watchdog model='itco' action='reset'/>
  </devices>
</domain>
"""

CONTROLLER = """
<domain type='{type}'>
  <name>controller</name>
  <memory unit='MiB'>512</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{command_line}</cmdline>
  </os>
  <features><acpi/></features>
  {cpu}
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{root}'/><target dev='vda' bus='virtio'/>
      <readonly/><shareable/><serial>portal-root</serial>
    </disk>
    <serial type='file'><source path='{console}'/></serial>
    <controller type='usb' model='none'/><memballoon model='none'/>
  </devices>
</domain>
"""

# The emulated processor is an AMD with 40 bits of address, of which the last 12 GiB are HyperTransport's
# (Linux keeps out of them), and there SeaBIOS puts large windows. With 39 bits it puts them elsewhere.
CPU = {
    "kvm": "<cpu mode='host-passthrough'/>",
    "qemu": "<cpu mode='maximum'><maxphysaddr mode='emulate' bits='39'/></cpu>",
}

# What the controller VM runs: an ordinary user opens each heap that comes, once udev's rules for it
# have been applied.
WATCH = """#!/bin/sh
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec >/dev/ttyS0 2>&1
mount -t tmpfs -o mode=755 run /run
/usr/lib/systemd/systemd-udevd --daemon
# "UDEV  [12.345678] add      /devices/… (pci)"
udevadm monitor --udev --subsystem-match=pci | while read -r _ _ action path _; do
	address=${path##*/}
	case $action in
	add)
		size=$(stat -c %s "/sys/bus/pci/devices/$address/resource2")
		echo "watch: come $address: $size: $(setpriv --reuid=user --regid=user --init-groups \\
			heap-header "ivshmem:$address") behind $(basename "${path%/*}")"
		;;
	remove) echo "watch: gone $address" ;;
	esac
done &
udevadm control --ping
echo "watch: ready"
wait
"""

CONFIG = """
vm demo {
	uri qemu:///system
	heap-size 64M
}
"""


class Host:
    """portal-host with a state directory of its own."""

    def __init__(self, program):
        self._command = [program, "--state", tempfile.mkdtemp(prefix="portal-host-"),
                         "--config", "/nowhere/host.scfg", "--machine", MACHINE]

    def command(self, *arguments):
        return [*self._command, *arguments]

    def expect(self, status, words, *arguments):
        """Runs it to its end with this status after saying these words; returns what it said."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              check=False, timeout=wait.PATIENCE)
        said = done.stdout + done.stderr
        vmtest.check(done.returncode == status and words in said,
                     f"portal-host {' '.join(arguments)}: {done.returncode}, {said.strip()[-300:]}")
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.expect(0, "", "--json", *arguments))


def inactive(name):
    return libvirt.virsh("dumpxml", "--inactive", "--security-info", name)


def virsh_define(text):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(text)
        file.flush()
        libvirt.virsh("define", file.name)


def address_of(node):
    return tuple(int(node.get(part), 16) for part in ("domain", "bus", "slot", "function"))


def check_defined(before):
    """What libvirt made of the definition."""
    domain = xml.etree.ElementTree.fromstring(inactive("desk"))
    hostdevs = domain.findall("./devices/hostdev")
    places = {address_of(dev.find("source/address")): address_of(dev.find("address"))
              for dev in hostdevs}
    card = places[(0, 1, 0, 0)]
    vmtest.check(places[(0, 1, 0, 1)] == (*card[:3], 1) and card[2:] == (0, 0) and card[1] != 0,
                 f"the card is one slot behind a port of its own: {places}")
    vmtest.check({dev.get("managed") for dev in hostdevs} == {"no"}, "libvirt moves no drivers")
    vmtest.check("ua-portal-heapport-2" in inactive("desk") and "pref64-reserve" in inactive("desk"),
                 "the ports for heaps and what they reserve are kept")
    vmtest.check("two  blanks" in inactive("desk"), "others' words are kept")
    old = xml.etree.ElementTree.fromstring(before)
    for part in ("uuid", "memory", "os", "features", "metadata"):
        vmtest.check(xml.etree.ElementTree.tostring(old.find(part)) ==
                     xml.etree.ElementTree.tostring(domain.find(part)), f"<{part}> is what it was")


def define(host, finish):
    """Definitions that libvirt validates, keeps, and gives back."""
    virsh_define(DESK)
    before = inactive("desk")
    options = ["--device", "01:00.0,rom-bar=off", "--device", "05:00.0", "--suspend-to-mem", "off",
               "--suspend-to-disk", "off", "--hugepages", "on", "--prepare-heaps", "2",
               "--evdev", "/dev/input/by-id/usb-Logitech_USB_Keyboard-event-kbd,grab=all,repeat=on",
               "--evdev", "/dev/input/by-id/usb-Logitech_USB_Optical_Mouse-event-mouse"]
    shown = host.json("domain", "edit", "desk", *options)
    vmtest.check(inactive("desk") == before and not shown["changed"], "a dry run changes nothing")
    libvirt.virsh("desc", "desk", "--config", "somebody else was here")
    host.expect(3, "somebody changed it since it was shown", "domain", "edit", "desk", *options,
                "--apply", "--expect", shown["token"])
    libvirt.virsh("desc", "desk", "--config", "")
    shown = host.json("domain", "edit", "desk", *options)
    host.expect(0, "changed desk", "domain", "edit", "desk", *options, "--apply", "--expect",
                shown["token"])
    check_defined(before)
    host.expect(0, "desk is like this already", "domain", "edit", "desk", *options, "--apply")
    host.expect(0, "", "domain", "show", "desk")
    host.expect(0, "changed desk", "domain", "edit", "desk", "--apply", "--remove-device",
                "01:00.0", "--remove-device", "01:00.1", "--remove-device", "05:00.0",
                "--suspend-to-mem", "default", "--suspend-to-disk", "default", "--hugepages", "off",
                "--prepare-heaps", "0",
                "--remove-evdev", "/dev/input/by-id/usb-Logitech_USB_Keyboard-event-kbd",
                "--remove-evdev", "/dev/input/by-id/usb-Logitech_USB_Optical_Mouse-event-mouse")
    vmtest.check(inactive("desk") == before, "and out again: letter by letter what it was")
    check_transient(host, finish)


def check_transient(host, finish):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(DESK.replace("<name>desk<", "<name>brief<"))
        file.flush()
        libvirt.virsh("create", "--paused", file.name)
    finish.callback(libvirt.destroy, "brief")
    host.expect(3, "it is transient", "domain", "edit", "brief", "--suspend-to-mem", "off")
    libvirt.virsh("start", "--paused", "desk")
    finish.callback(libvirt.destroy, "desk")
    live = libvirt.virsh("dumpxml", "desk")
    host.expect(0, "it counts from its next start on", "domain", "edit", "desk", "--apply",
                "--suspend-to-mem", "off")
    vmtest.check(libvirt.virsh("dumpxml", "desk") == live, "the running machine is what it was")


def define_controller(pictures, kind):
    """Defines the controller VM, without ports for heaps yet; returns its console."""
    directory = tempfile.mkdtemp(prefix="controller-")
    console = Console(os.path.join(directory, "console"), "controller")
    initrd = os.path.join(directory, "initrd")
    files = {"/project/etc/portal/watch": (WATCH.encode(), 0o755)}
    with open(os.path.join(vmtest.BUILD, "tests", "vm", "heap-header"), "rb") as file:
        files["/project/usr/local/bin/heap-header"] = (file.read(), 0o755)
    with open(pictures.initrd, "rb") as base, open(initrd, "wb") as out:
        out.write(base.read())
        out.write(archive.pack(files))
    virsh_define(CONTROLLER.format(
        type=kind, cpu=CPU[kind],
        kernel=os.path.realpath(pictures.kernel), initrd=initrd,
        command_line="console=ttyS0 panic=-1 mitigations=off portal_init=/etc/portal/watch",
        root=os.path.realpath(pictures.root), console=console.path))
    return console


def start_guest(demo, path, size, dax=False):
    """Boots the guest with a new heap; returns when its agent has written the header: the heap's id."""
    subprocess.run([Programs(vmtest.BUILD)["portal-heap"], "create", path, str(size),
                    *(["--dax"] if dax else [])], check=True)
    start = len(demo.console.said.text)
    libvirt.virsh("start", "demo")
    demo.console.said.for_text(b"MiB, reads ", start)
    with open(path, "rb") as file:
        file.seek(2 * MIB if dax else 0)
        header = file.read(64)
    vmtest.check(header.startswith(b"PORTHEAP"), "the guest's agent made its heap")
    return header[24:40].hex()


def come(console, start):
    """The next line about a heap that came: (address, its bytes and what an ordinary user read there,
    offset)."""
    position = console.said.for_text(b"watch: come ", start)
    end = console.said.for_text(b"\n", position)
    line = console.said.text[position:end].decode().strip()
    address, said = line.split(": ", 1)
    return address, said, end


def heaps(host, finish):
    """A guest's heap is brought to a running controller VM, changed for a larger one, and taken out."""
    programs = Programs(vmtest.BUILD)
    pictures = images.Images(vmtest.BUILD)
    config = os.path.join(tempfile.mkdtemp(), "portal.scfg")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG)
    demo = guest.Guest(programs, pictures, config, "demo")
    demo.define("--heap", "ivshmem", "--control", "virtio-serial")
    console = define_controller(pictures, demo.accelerator())
    finish.callback(lambda: print("--- console of controller:\n" +
                                  console.said.text[-3000:].decode(errors="replace")))
    finish.callback(libvirt.destroy, "demo")
    finish.callback(libvirt.destroy, "controller")

    host.expect(0, "changed controller", "domain", "edit", "controller", "--prepare-heaps", "2",
                "--apply")
    libvirt.virsh("start", "controller")
    path = "/dev/shm/portal-demo"
    first = start_guest(demo, path, 64 * MIB)
    console.said.for_text(b"watch: ready")

    said = host.expect(0, "the heap of demo (64 MiB) is in controller", "heap", "attach",
                       "controller", "demo")
    port = re.search(r"root port (\S+)", said).group(1)
    address, what, position = come(console, 0)
    vmtest.check(what.startswith(f"{64 * MIB}: heap {first} of "), f"its user reads the header: {what}")
    vmtest.check(what.endswith(f" behind {port}"), "it is behind the port that was told")
    host.expect(0, "already in controller", "heap", "attach", "controller", "demo")
    vmtest.check("portal-demo" not in inactive("controller"), "the definition is what it was")

    libvirt.destroy("demo")
    # An nvdimm in the guest is an ivshmem here, too.
    demo.define("--heap", "nvdimm", "--heap-size", "256M", "--replace")
    second = start_guest(demo, path, 256 * MIB, dax=True)
    host.expect(0, "the heap of demo (256 MiB) is in controller", "heap", "attach", "controller",
                "demo")
    console.said.for_text(f"watch: gone {address}".encode(), position)
    address, what, position = come(console, position)
    vmtest.check(second != first and what.startswith(f"{256 * MIB}: heap {second} of "),
                 f"the larger one took its place: {what}")

    libvirt.virsh("suspend", "controller")
    host.expect(1, "has not let the heap go yet", "heap", "detach", "controller", "demo",
                "--timeout", "1")
    vmtest.check("portal-demo" in libvirt.virsh("dumpxml", "controller"), "it is still there")
    libvirt.virsh("resume", "controller")
    console.said.for_text(f"watch: gone {address}".encode(), position)
    vmtest.check(True, "it goes when the controller's system comes to it")
    while "portal-demo" in libvirt.virsh("dumpxml", "controller"):
        pass  # libvirt hears of it a moment after the system has let go

    host.expect(0, "is in controller", "heap", "attach", "controller", "demo")
    address, what, position = come(console, position)
    host.expect(0, "the heap of demo is out of controller", "heap", "detach", "controller", "demo")
    vmtest.check("portal-demo" not in libvirt.virsh("dumpxml", "controller"),
                 "libvirt knows that it is gone")
    console.said.for_text(f"watch: gone {address}".encode(), position)
    host.expect(0, "no heap of demo is in controller", "heap", "detach", "controller", "demo")
    check_follower(host, finish, console, demo, position)


def check_follower(host, finish, console, demo, position):
    """Somebody who watches brings the heap when the guest is there, and takes it out with the guest."""
    process, said = wait.start(host.command("heap", "follow", "controller", "demo"), "portal-host")
    finish.callback(wait.stop, process)
    address, _, position = come(console, position)
    vmtest.check(True, "the heap of a guest that runs already comes")
    libvirt.destroy("demo")
    console.said.for_text(f"watch: gone {address}".encode(), position)
    told = said.for_text(b"the heap of demo is out of controller\n")
    vmtest.check(True, "it goes with the guest")
    demo.define("--heap", "ivshmem", "--heap-size", "64M", "--replace")
    start_guest(demo, "/dev/shm/portal-demo", 64 * MIB)
    said.for_text(b"the heap of demo is in controller\n", told)
    address, what, position = come(console, position)
    # Whether the guest's agent was there already to write the header is nobody's promise.
    vmtest.check(what.startswith(f"{64 * MIB}: "), f"and comes with it, in its size of now: {what}")
    process.terminate()
    vmtest.check(process.wait(wait.PATIENCE) == 0, "the watcher ends when told to")


def main():
    part = {"define": define, "heaps": heaps}[sys.argv[1]]

    def test(finish):
        daemon = libvirt.Libvirtd()
        finish.callback(daemon.stop)
        daemon.start()
        part(Host(os.path.join(vmtest.BUILD, "host-vfio", "portal-host")), finish)

    vmtest.run(test, "controller", "demo")


main()
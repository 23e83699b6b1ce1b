"""portal-hostd starts and stops guests, and brings their heaps: see hostdtest.py."""

import contextlib
import os
import signal
import subprocess

from hostdtest import (
    begin, define, define_xml, DOMAIN, GUESTS, HEAP_DOMAIN, Hostd, main, refused, SHELL, states,
    libvirt, wait)


def guests(finish, work):
    """Guests by the host's own interface, and their memory by one budget."""
    begin(finish)
    define(finish, "fox", "mail", "game", "large")
    hostd = Hostd(work, GUESTS.format(door="/nowhere", budget="100M")).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    # Its first look at libvirt is told of one domain after the other.
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    assert states(link.call("ListGuests")) == {
        "firefox": "off", "large": "off", "mail": "off", "ghost": "undefined", "game": "off"}
    # Two at once do not count on the same memory.
    link.send("StartGuest", guest="firefox")
    with contextlib.closing(link.again()) as second:
        refused("Refused", "taken by firefox (64 MiB)", second.call, "StartGuest", guest="large")
    assert link.receive() == {}
    link.wait_for("ListGuests", lambda said: states(said)["firefox"] == "running")
    assert "running" in libvirt.virsh("domstate", "fox")
    refused("Refused", "budget", link.call, "StartGuest", guest="large")
    refused("NoSuchGuest", "no guest fox", link.call, "StartGuest", guest="fox")
    refused("Failed", "ghost", link.call, "StartGuest", guest="ghost")
    refused("Timeout", "still shutting down", link.call, "StopGuest", guest="firefox",
            timeoutSeconds=0)
    link.send("StopGuest", guest="firefox", timeoutSeconds=3600)
    libvirt.virsh("destroy", "fox")  # as if it had heard
    assert link.receive() == {}
    assert link.call("StartGuest", guest="large") == {}
    assert link.call("StopGuest", guest="large", force=True) == {}
    assert "shut off" in libvirt.virsh("domstate", "large")

    assert link.call("ReportHeap", guest="firefox", used=100 << 20) == {}
    refused("Refused", "no memory plan", link.call, "ReportHeap", guest="mail", used=1)
    memory = link.call("GetMemory")
    assert memory["budget"] == 100 << 20, memory
    assert "budget" in memory["reason"] and "planned" not in memory, memory
    hostd.log.for_text(b"audit: uid 0, pid ")
    assert b"start guest large: refused: " in hostd.log.text

    hostd.write("controller work {\n\tguests mail\n}\n")
    link.call("Reload")
    link.wait_for("ListGuests", lambda said: states(said) == {"mail": "off"})
    hostd.write("controller work {\n")
    refused("Refused", "not valid scfg", link.call, "Reload")
    assert list(states(link.call("ListGuests"))) == ["mail"]


def heap(finish, work):
    """A guest starts with the heap that is planned by what it reported."""
    begin(finish)
    path = os.path.join(work, "heap")
    xml = os.path.join(work, "fox.xml")
    with open(xml, "w", encoding="utf-8") as file:
        file.write(HEAP_DOMAIN.format(path=path))
    libvirt.virsh("define", xml)
    finish.callback(libvirt.destroy, "fox")
    hostd = Hostd(work, GUESTS.format(door="/nowhere", budget="1G")).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)

    def size_of(said):
        return next(g.get("heapSize") for g in said["guests"] if g["name"] == "firefox") >> 20

    for used, size in ((None, 64), (60 << 20, 76), (0, 76)):
        if used is not None:
            link.call("ReportHeap", guest="firefox", used=used)
        assert link.call("StartGuest", guest="firefox") == {}
        link.wait_for("ListGuests", lambda said, size=size: size_of(said) == size)
        assert os.stat(path).st_size == size << 20
        assert f"<size unit='KiB'>{size << 10}</size>" in libvirt.virsh("dumpxml", "fox")
        assert link.call("StopGuest", guest="firefox", force=True) == {}
    # A heap that a controller has stays as it is: it may have it open.
    with open(xml, "w", encoding="utf-8") as file:
        file.write(HEAP_DOMAIN.format(path=path).replace("<name>fox", "<name>work"))
    libvirt.virsh("define", xml)
    libvirt.virsh("undefine", "fox")
    with open(xml, "w", encoding="utf-8") as file:
        file.write(HEAP_DOMAIN.format(path=path))
    libvirt.virsh("define", xml)
    os.truncate(path, 96 << 20)
    with open(path, "r+b") as file:
        file.seek(2 << 20)  # where the heap begins
        file.write(b"in use")
    assert link.call("StartGuest", guest="firefox") == {}
    link.wait_for("ListGuests", lambda said: size_of(said) == 96)
    refused("Refused", "more than the heap", link.call, "ReportHeap", guest="firefox",
            used=(96 << 20) + 1)
    with open(path, "rb") as file:
        file.seek(2 << 20)
        assert file.read(6) == b"in use", "the controller's heap was made anew"


# PCI Express's own hot-plug: a port that no system has switched on lets go at once.
CONTROLLER_DOMAIN = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>work</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
  <qemu:commandline>
    <qemu:arg value='-global'/>
    <qemu:arg value='ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'/>
  </qemu:commandline>
</domain>
"""
SHMEM = """<devices>
  <shmem name='{name}'>
    <model type='ivshmem-plain'/><size unit='M'>{size}</size><alias name='{alias}'/>
  </shmem>"""


def controller_heaps(finish, work):
    """The heaps of a controller's guests come to it and go with them, while it runs."""
    begin(finish)
    names = {"firefox": f"portal-test-fox-{os.getpid()}", "mail": f"portal-test-mail-{os.getpid()}"}
    for name in names.values():
        finish.callback(subprocess.run, ["rm", "-f", f"/dev/shm/{name}"], check=True)

    def define_guest(domain, guest, size):
        heap_device = SHMEM.format(name=names[guest], size=size, alias="ua-portal-heap")
        define_xml(finish, work, domain,
                   DOMAIN.format(name=domain).replace("<devices>", heap_device))

    def resize_fox(size):
        libvirt.virsh("undefine", "fox")
        os.unlink(f"/dev/shm/{names['firefox']}")  # QEMU makes one of the new size
        define_guest("fox", "firefox", size)

    def has(guest, size):
        return (f"<shmem name='{names[guest]}'>" in (xml := libvirt.virsh("dumpxml", "work")) and
                f"<size unit='M'>{size}</size>" in xml)

    define_guest("fox", "firefox", 1)
    define_guest("mail", "mail", 4)
    define(finish, "large", "game")
    define_xml(finish, work, "work", CONTROLLER_DOMAIN.replace("<devices>", SHMEM.format(
        name=names["mail"], size=4, alias="ua-portal-heap-mail")))
    hostd = Hostd(work, GUESTS.format(door="/nowhere", budget="1G")).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("ListGuests", lambda said: states(said)["firefox"] == "off")

    # One that was started without ports is left alone.
    libvirt.virsh("start", "work")
    libvirt.virsh("start", "fox")
    libvirt.virsh("destroy", "work")
    done = subprocess.run([SHELL, "domain", "edit", "work", "--prepare-heaps", "1,size=4M", "--apply"],
                          capture_output=True, text=True, check=False, timeout=wait.PATIENCE)
    assert done.returncode == 0, done.stderr

    said = len(hostd.log.text)
    libvirt.virsh("start", "work")
    said = hostd.log.for_text(b"the heap of firefox is in controller work", said)
    assert has("firefox", 1)
    libvirt.virsh("destroy", "fox")
    said = hostd.log.for_text(b"the heap of firefox is out of controller work", said)
    assert not has("firefox", 1)
    # Larger at its next start; one that is too large for the port is told of, once.
    resize_fox(2)
    libvirt.virsh("start", "fox")
    said = hostd.log.for_text(b"the heap of firefox is in controller work", said)
    assert has("firefox", 2)
    libvirt.virsh("destroy", "fox")
    said = hostd.log.for_text(b"the heap of firefox is out of controller work", said)
    resize_fox(8)
    libvirt.virsh("start", "fox")
    hostd.log.for_text(b"the heap of firefox in controller work: the heap has 8 MiB", said)
    # What the controller is defined with stays, whether its guest runs or not.
    libvirt.virsh("start", "mail")
    libvirt.virsh("destroy", "mail")
    libvirt.virsh("destroy", "fox")
    resize_fox(1)
    libvirt.virsh("start", "fox")
    hostd.log.for_text(b"the heap of firefox is in controller work", said)
    assert has("firefox", 1) and has("mail", 4)
    text = hostd.log.text.decode()
    assert text.count("the heap has 8 MiB") == 1 and "the heap of mail" not in text, text
    assert "without ports" not in text, text

    # Nobody else's guests come, and those that leave the policy are nobody's.
    said = len(hostd.log.text)
    libvirt.virsh("start", "game")
    libvirt.virsh("destroy", "fox")
    said = hostd.log.for_text(b"the heap of firefox is out of controller work", said)
    hostd.write("controller work {\n\tguests mail\n}\n")
    link.call("Reload")
    libvirt.virsh("start", "fox")
    hostd.write(GUESTS.format(door="/nowhere", budget="1G"))
    link.call("Reload")
    hostd.log.for_text(b"the heap of firefox is in controller work", said)


def libvirt_away(finish, work):
    """Without libvirt everything else is answered; it is noticed when it comes and goes."""
    hostd = Hostd(work, GUESTS.format(door="/nowhere", budget="1G")).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: "ailed to connect" in (said["libvirtProblem"] or ""))
    refused("NoLibvirt", "ailed to connect", link.call, "StartGuest", guest="mail")
    assert set(states(link.call("ListGuests")).values()) == {"unknown"}
    daemon = begin(finish)
    define(finish, "fox", "mail")
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    # It may have come back before they were defined.
    link.wait_for("ListGuests", lambda said: states(said)["mail"] == "off")
    # One that hangs holds up nobody but who waits for it.
    daemon.signal(signal.SIGSTOP)
    link.send("StartGuest", guest="mail")
    with contextlib.closing(link.again()) as other:
        assert "vms" in other.call("GetState")
        assert states(other.call("ListGuests"))["mail"] == "off"
        refused("NoSuchGuest", "no guest nobody", other.call, "StartGuest", guest="nobody")
    daemon.signal(signal.SIGCONT)
    assert link.receive() == {}
    link.send("StopGuest", guest="mail", timeoutSeconds=3600)
    link.wait_for("ListGuests", lambda said: states(said)["mail"] == "running")
    daemon.stop()
    refused("NoLibvirt", "", link.receive)


main({"guests": guests, "heap": heap, "controller-heaps": controller_heaps, "libvirt-away": libvirt_away})

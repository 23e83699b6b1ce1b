"""What portal-hostd brings back, and what it makes of notes of another time, on a recorded machine whose
drivers can be changed, with the domains of libvirt's test driver: see hostdtest.py. No machine runs
here."""

import os

from hostdmodel import begin
from hostdtest import (
    carried_out, hostd_write, journals, main, MORE_USB, Refused, refused, TOP, USB, until)

POLICY = """
assign usb to controllers
device 01:00.0 to controllers
device 01:00.1 to controllers
release {
	stop-holders
}
controller work
"""
CARD, SOUND = "0000:01:00.0", "0000:01:00.1"


MACHINES = os.path.join(TOP, "tests", "machines")
ONBOARD = "0000:00:1f.3"
LISTENED = "assign audio to controllers\nrelease {\n\tstop-holders%s\n}\ncontroller work\n"


def changed(work, machine, *changes):
    """The recorded machine with these (OLD, NEW) in its file, each once: its name for the model."""
    with open(os.path.join(MACHINES, machine + ".machine"), encoding="utf-8") as file:
        text = file.read()
    for old, new in changes:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    hostd_write(os.path.join(work, "changed.machine"), text)
    return os.path.relpath(os.path.join(work, "changed"), MACHINES)


def all_but_one(finish, work):
    """A card that its driver does not take again keeps the keyboard's controller from nothing, and is tried
    again when something has changed."""
    hostd, link = begin(finish, work, POLICY, "work")
    home = hostd.drivers()
    assert link.call("Hook", domain="work", operation="prepare", devices=[]) == {}
    given = hostd.drivers()
    assert {given[device][0] for device in (CARD, SOUND, USB, MORE_USB)} == {"vfio-pci"}, given
    hostd.order(f"fail-bind {CARD}")
    said = len(hostd.log.text)
    assert link.call("Hook", domain="work", operation="release", devices=[]) == {}
    hostd.log.for_text(f"return from VMs {CARD}: could not bind {CARD} to nouveau".encode(), said)
    after = hostd.drivers()
    for device, driver in home.items():
        wanted = given[device] if device in (CARD, SOUND) else driver
        assert after[device] == wanted, (device, after[device], wanted)
    # The next end of a VM is something new.
    assert link.call("Hook", domain="work", operation="release", devices=[]) == {}
    until(link, lambda now: now[CARD] == home[CARD][0])
    assert hostd.drivers() == home, hostd.drivers()


def another_boot(finish, work):
    """A note of before the last boot, since which the set-up gives the device to VFIO, is not believed."""
    machine = changed(work, "two-gpu-desktop", (
        "device = 0x2142\ndriver -> ../../../../bus/pci/drivers/xhci_hcd",
        "device = 0x2142\ndriver -> ../../../../bus/pci/drivers/vfio-pci"))
    os.makedirs(os.path.join(work, "state"))
    notes = os.path.join(work, "state", "assigned.scfg")
    hostd_write(notes, f'device {USB} "work"\n')
    hostd, link = begin(finish, work, POLICY, "work", machine=machine)
    home = hostd.drivers()
    assert home[USB][0] == "vfio-pci" and home[MORE_USB][0] == "xhci_hcd", home
    hostd.log.for_text(f"{USB} was not given away since the machine was booted".encode(), 0)
    assert link.call("Hook", domain="work", operation="prepare", devices=[]) == {}
    # What is of this boot is believed by the daemon that comes again.
    hostd.kill()
    link = hostd.link()
    until(link, lambda now: {now.get(device) for device in (CARD, MORE_USB)} == {"nouveau", "xhci_hcd"})
    assert hostd.drivers() == home, hostd.drivers()
    assert f"return from VMs {USB}".encode() not in hostd.log.text, hostd.log.text
    with open(notes, encoding="utf-8") as file:
        assert file.read() == ""


def in_vain(finish, work):
    """A name in the policy that nothing has is said when the policy is read, and again when it is read
    again; and that there is no policy at all."""
    hostd, link = begin(finish, work, POLICY, "work")
    warning = b'the policy: device: "dock-usb" is neither a PCI address nor the name of a known device'
    assert warning not in hostd.log.text, hostd.log.text
    hostd.write(POLICY + "device dock-usb to host\n")
    for _ in range(2):
        said = len(hostd.log.text)
        link.call("Reload")
        hostd.log.for_text(warning, said)
    hostd.write(POLICY + "controller other {\n\tdomain work\n}\n")
    refused("Refused", "work and other are both libvirt's domain work", link.call, "Reload")
    os.unlink(hostd.config)
    said = len(hostd.log.text)
    link.call("Reload")
    hostd.log.for_text(f"{hostd.config} is not there: every device stays with the host".encode(), said)
    # Each was said once a reading.
    assert hostd.log.text.count(warning) == 2, hostd.log.text


def drawn(finish, work):
    """Whoever keeps a graphics card, or what goes along with it, is got out of the way by the shorter line."""
    hostd, link = begin(finish, work, "assign gpu to controllers\ncontroller work\n", "work",
                        machine="notes-laptop")
    home = hostd.drivers()
    refused("Refused", "open; \"stop-holders\" in the policy's release block has such processes stopped",
            link.call, "Hook", domain="work", operation="prepare", devices=[])
    assert hostd.drivers() == home, hostd.drivers()


def had(finish, work):
    """A VM is never stopped for a card, and nobody is told that a line of the policy does."""
    machine = changed(work, "notes-laptop", ("9 -> /dev/nvidia0\n", "9 -> /dev/vfio/15\n"),
                      ("driver -> ../../../../bus/pci/drivers/nvidia\ndriver_override = (null)\n",
                       "driver -> ../../../../bus/pci/drivers/vfio-pci\ndriver_override = vfio-pci\n"),
                      ("10 -> /dev/snd/controlC1\n", ""))
    hostd, link = begin(finish, work, "", "work", machine=machine)
    try:
        link.call("ReleaseGpu", device="01:00.0")
    except Refused as refusal:
        assert "has /dev/vfio/15 open" in refusal.reason, refusal.reason
        assert "stop-holders" not in refusal.reason, refusal.reason
    else:
        raise AssertionError("a VM's card was taken from it")


def listened(finish, work):
    """Sound that a session has open goes to a VM where the policy has such processes stopped, and not with
    what only graphics cards are given away by; a refusal says which line it takes."""
    machine = changed(work, "notes-laptop", ("driver -> ../../../bus/pci/drivers/i801_smbus\n", ""),
                      ("driver -> ../../../bus/pci/drivers/intel-spi\n", ""))
    hostd, link = begin(finish, work, LISTENED % " kill", "work", machine=machine)
    home = hostd.drivers()
    refused("Refused", f"{ONBOARD} is in use: wireplumber (pid 1411) has /dev/snd/controlC0 open; "
            "\"stop-holders all\" in the policy's release block has such processes stopped",
            link.call, "Hook", domain="work", operation="prepare", devices=[])
    assert hostd.drivers() == home, hostd.drivers()
    hostd.write(LISTENED % " kill all" + "assign storage to controllers\nunguard 02:00.0\n")
    link.call("Reload")
    # What is mounted is in the way of whoever is stopped, and nobody is for nothing.
    refused("Refused", "0000:02:00.0 is in use: ", link.call, "Hook", domain="work", operation="prepare",
            devices=[])
    assert hostd.drivers() == home and journals(hostd) == [], journals(hostd)
    hostd.write(LISTENED % " kill all")
    link.call("Reload")
    assert link.call("Hook", domain="work", operation="prepare", devices=[]) == {}
    assert hostd.drivers()[ONBOARD][0] == "vfio-pci", hostd.drivers()
    (what, plan), = carried_out(hostd)
    kinds = [step["kind"] for step in plan["steps"]]
    assert what == "take" and kinds[0] == "kill" and "unheld" in kinds[:kinds.index("unbind")], kinds
    assert link.call("Hook", domain="work", operation="release", devices=[]) == {}
    until(link, lambda now: now.get(ONBOARD) == home[ONBOARD][0])
    assert hostd.drivers() == home, hostd.drivers()


main({"all-but-one": all_but_one, "another-boot": another_boot, "in-vain": in_vain, "drawn": drawn, "had": had,
      "listened": listened})

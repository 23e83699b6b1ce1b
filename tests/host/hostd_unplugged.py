"""Devices that are pulled out at a bad moment, on a recorded machine whose drivers can be changed, with the
domains of libvirt's test driver: see hostdtest.py. No machine runs here."""

import os

from hostdmodel import begin
from hostdtest import LAN, USB, main, refused

POLICY = """
assign usb to controllers
controller work {
	devices 05:00.0
}
unguard 06:00.0
"""


def settled(hostd):
    """No change is open, and nothing is left to be returned."""
    path = os.path.join(hostd.state, "transactions")
    for name in set(os.listdir(path)) - {"lock"}:
        with open(os.path.join(path, name), encoding="utf-8") as file:
            assert '"end"' in file.read(), name


def within_a_change(finish, work):
    """The change fails with words that say so, leaves nothing open, and the device is as any other when it
    is back."""
    hostd, link = begin(finish, work, POLICY, "work")
    home = hostd.drivers()
    for step in ("override", "unbind", "bind"):
        for ask in ((lambda: link.call("Take", devices=[USB])),
                    # What is in its definition, it would be told to take out.
                    (lambda: link.call("Hook", domain="work", operation="prepare", devices=[]))):
            hostd.order(f"unplug-at-{step} {USB}")
            refused(("Failed", "Refused"), f"{USB} is no longer there", ask)
            settled(hostd)
            # Whatever else there is goes on.
            refused("Refused", "no PCI function", link.call, "Take", devices=[USB])
            assert link.call("Take", devices=[LAN]) == {}
            assert link.call("Return", devices=[LAN]) == {}
            assert link.call("Recover") == {}
            hostd.order(f"plug {USB}")
            assert hostd.drivers() == home, hostd.drivers()
    assert link.call("Take", devices=[USB]) == {}
    # And on the way back.
    hostd.order(f"unplug-at-unbind {USB}")
    refused("Failed", f"{USB} is no longer there", link.call, "Return", devices=[USB])
    settled(hostd)
    hostd.order(f"plug {USB}")
    assert hostd.drivers() == home, hostd.drivers()


def while_a_vm_has_it(finish, work):
    """It is told whose it was, and nothing is to be returned when the VM ends."""
    hostd, link = begin(finish, work, POLICY, "work")
    home = hostd.drivers()

    def hook(operation, *devices):
        return link.call("Hook", domain="work", operation=operation, devices=devices)

    assert hook("prepare", USB) == {}
    assert hook("started", USB) == {}
    assert hostd.drivers()[USB][0] == "vfio-pci"
    said = len(hostd.log.text)
    hostd.order(f"unplug {USB}")
    assert link.call("Recover") == {}  # which looks first, as udev's event would have it
    said = hostd.log.for_text(f"{USB} 1b21:2142 is gone: work had it".encode(), said)
    assert hook("release", USB) == {}
    # An order waits for all that goes before it.
    assert link.call("Take", devices=[LAN]) == {}
    assert link.call("Return") == {}
    assert b"return from VMs" not in hostd.log.text[said:], hostd.log.text[said:]
    settled(hostd)
    refused("Refused", f"its definition has {USB}, where there is no device now", hook, "prepare", USB)
    hostd.order(f"plug {USB}")
    assert hostd.drivers() == home, hostd.drivers()
    assert hook("prepare", USB) == {}
    assert hook("release", USB) == {}
    assert link.call("Recover") == {}
    settled(hostd)


main({"within-a-change": within_a_change, "while-a-vm-has-it": while_a_vm_has_it})

"""What libvirt's hook is answered about starts on a recorded machine whose drivers can be changed, with
the domains of libvirt's test driver: see hostdtest.py. No machine runs here."""

import json
import os
import subprocess

from hostdmodel import begin, create, domain
from hostdtest import carried_out, HOOK, SHELL, hostd_write, journals, main, refused, until, wait

# kwin (pid 1502) has a node of the card open; /boot/efi and / are on the disk.
IGPU, CARD, USB = "0000:00:02.0", "0000:01:00.0", "0000:05:00.0"
DISK, LAN = "0000:04:00.0", "0000:06:00.0"
# Named when bus 1 was called 2.
KNOWN = """device fast {
	path pci0000:00/01.0/00.0
	id 10de:2484
	subsystem 1458:404c
	class 030000
	address 0000:02:00.0
}
"""
# What libvirt writes to its hook.
DEFINITION = """<domain type='kvm'><name>%s</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type>hvm</type></os><devices>%s</devices></domain>
"""
HOSTDEV = """<hostdev mode='subsystem' type='pci' managed='no'><source>
<address domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></source></hostdev>"""


def prepare(link, domain, *devices):
    """libvirt's hook asks about a start."""
    return link.call("Hook", domain=domain, operation="prepare", devices=devices)




def whole(finish, work):
    """What keeps one device from being taken keeps all of them where they are, and whoever has a graphics
    card open is not stopped for nothing."""
    policy = ("assign gpu to controllers\ndevice %s to controllers\nunguard %s %s\n"
              "release {\n\tstop-holders\n}\ncontroller work\n" % (DISK, DISK, "0000:00:02.0"))
    hostd, link = begin(finish, work, policy, "work")
    before = hostd.machine_state()
    assert b"console 1" in before, before
    refused("Refused", f"{DISK} is in use: / is mounted", prepare, link, "work")
    assert hostd.machine_state() == before, hostd.machine_state()
    assert journals(hostd) == [], journals(hostd)
    # Without the disk it is the same cards, which are taken.
    hostd.write(policy.replace(f"device {DISK} to controllers\n", ""))
    link.call("Reload")
    assert prepare(link, "work") == {}
    after = hostd.machine_state()
    assert f"{CARD} vfio-pci".encode() in after and b"console 0" in after, after
    assert len(journals(hostd)) == 2, journals(hostd)


def moved(finish, work):
    """An address that its card has left is refused with the command that mends the definition, and nothing
    is taken for a start that libvirt would refuse."""
    os.makedirs(os.path.join(work, "state"))
    hostd_write(os.path.join(work, "state", "devices.scfg"), KNOWN)
    hostd, link = begin(finish, work, "assign gpu to controllers\nunguard 00:02.0\n"
                        "release {\n\tstop-holders\n}\ncontroller work {\n\tdomain desk\n}\n", "desk")
    before = hostd.machine_state()
    refused("Refused", f"fast has moved from 0000:02:00.0 to {CARD}, and the definition has the old address: "
            "portal-host domain edit desk --remove-device 0000:02:00.0 --device fast --apply",
            prepare, link, "desk", "0000:00:02.0", "0000:02:00.0")
    # Without a name there is none to give.
    refused("Refused", "its definition has 0000:03:00.0, where there is no device now",
            prepare, link, "desk", CARD, "0000:03:00.0")
    assert hostd.machine_state() == before, hostd.machine_state()
    assert journals(hostd) == [], journals(hostd)
    assert prepare(link, "desk", CARD) == {}
    assert f"{CARD} vfio-pci".encode() in hostd.machine_state(), hostd.machine_state()


def saved(finish, work):
    """What has devices of the host in its definition comes back from nowhere else; what has none does."""
    hostd, link = begin(finish, work, "controller work\n", "work", "stranger")

    def hook(domain, operation, devices):
        xml = DEFINITION % (domain, HOSTDEV if devices else "")
        return subprocess.run([HOOK, domain, operation, "begin", "-"], input=xml, text=True, check=False,
                              capture_output=True, timeout=wait.PATIENCE,
                              env=dict(os.environ, PORTAL_HOST_SOCKET=hostd.socket,
                                       PORTAL_HOST_CONFIG=hostd.config))

    for operation, participle in (("restore", "restored"), ("migrate", "migrated")):
        refusal = f"work has devices of this host: it cannot be {participle}"
        refused("Refused", refusal, link.call, "Hook", domain="work", operation=operation, devices=[LAN])
        assert link.call("Hook", domain="work", operation=operation, devices=[]) == {}
        assert link.call("Hook", domain="work", operation=operation) == {}
        assert link.call("Hook", domain="stranger", operation=operation, devices=[LAN]) == {}
        done = hook("work", operation, True)
        assert done.returncode == 1 and refusal in done.stderr and done.stdout == "", done
        for domain, devices in (("work", False), ("stranger", True)):
            done = hook(domain, operation, devices)
            assert done.returncode == 0 and done.stderr == "", done


SWITCHING = """
assign gpu to controllers
assign usb to controllers
unguard 00:02.0 00:14.0
release {
	stop-holders
}
controller work {
	devices 05:00.0
}
controller play {
	devices 05:00.0 01:00.0 01:00.1 00:02.0
}
"""


def switch(hostd, *arguments):
    done = subprocess.run([SHELL, "switch", "--socket", hostd.socket, "--dry-run", *arguments],
                          capture_output=True, text=True, check=False, timeout=wait.PATIENCE)
    return done.returncode, done.stdout, done.stderr


def foreseen(finish, work):
    """What a switch would do is said without doing it, and is what is done then."""
    hostd, link = begin(finish, work, SWITCHING, "work", "play")
    before = hostd.machine_state()
    said = link.call("PlanSwitch", controller="play")
    assert hostd.machine_state() == before and journals(hostd) == [], hostd.machine_state()
    assert said["leaving"] == [] and said["returning"] == [], said
    assert not any(finding["blocks"] for finding in said["findings"]), said["findings"]
    plans = [entry["plan"] for entry in said["plans"]]
    assert [plan["devices"][0]["address"] for plan in plans] == [IGPU, CARD, USB], plans
    assert any(step.get("pid") == 1502 for step in plans[0]["steps"]), plans[0]
    assert not any(step.get("pid") == 1502 for step in plans[1]["steps"]), plans[1]
    status, out, error = switch(hostd, "play", "--json")
    assert status == 0 and json.loads(out) == said, (out, error)
    status, out, error = switch(hostd, "play")
    assert status == 0 and "ask kwin_wayland (pid 1502) to end" in out, (out, error)
    assert out.endswith(said["plans"][2]["text"] + "play is started\n"), out
    assert prepare(link, "play") == {}
    assert carried_out(hostd) == [("take", plan) for plan in plans], (carried_out(hostd), plans)
    refused("NoSuchController", "no controller ghost", link.call, "PlanSwitch", controller="ghost")


def who_leaves(finish, work):
    """Nor is anybody shut down for it."""
    hostd, link = begin(finish, work, SWITCHING, "work", "play", running=["work"])
    until(link, lambda drivers: drivers[USB] == "vfio-pci")
    link.wait_for("GetState", lambda said: not said["changing"])
    before = hostd.machine_state()
    said = link.call("PlanSwitch", controller="play")
    assert said["leaving"] == ["work"] and said["returning"] == [], said
    assert [entry["plan"]["devices"][0]["address"] for entry in said["plans"]] == [IGPU, CARD], said
    assert "work is shut down\n" in switch(hostd, "play")[1]
    status, out, _ = switch(hostd, "--host")
    assert status == 0 and out == (
        f"work is shut down\n{USB} returns to the host\n"
        f" 1. open {USB} to every driver again (within 5 s)\n"
        f" 2. unbind {USB} from vfio-pci (within 30 s)\n"
        f" 3. bind {USB} to xhci_hcd (within 30 s)\n"), out
    # What stands in the way is found for all of it.
    hostd.write(SWITCHING.replace("00:02.0\n}", "00:02.0 04:00.0\n}")
                + "device 04:00.0 to controllers\nunguard 04:00.0\n")
    link.call("Reload")
    status, out, error = switch(hostd, "play")
    assert status == 3 and f"refused: {DISK} is in use: / is mounted" in out, (status, out)
    assert "nothing would be changed" in error and "1. " not in out, (out, error)
    assert hostd.machine_state() == before, hostd.machine_state()
    # Nor is anybody shut down by the switch itself.
    refused("Refused", f"{DISK} is in use: / is mounted", link.call, "Switch", controller="play")
    assert hostd.machine_state() == before, hostd.machine_state()
    assert b"stop work" not in hostd.log.text, hostd.log.text


def again(finish, work):
    """Before it runs QEMU libvirt tells once more: a daemon that came again in between, and has returned
    everything since nothing runs, makes it ready again; who expects the start does nothing."""
    policy = "assign usb to controllers\ncontroller work {\n\tdevices 05:00.0\n}\n"
    hostd, link = begin(finish, work, policy, "work")
    home = hostd.drivers()

    def start():
        return link.call("Hook", domain="work", operation="start", devices=[USB])

    assert prepare(link, "work", USB) == {}
    assert start() == {}
    assert len(journals(hostd)) == 1, journals(hostd)
    hostd.kill()
    link = hostd.link()
    until(link, lambda drivers: drivers.get(USB) == home[USB][0])
    assert start() == {}
    assert hostd.drivers()[USB][0] == "vfio-pci"
    assert link.call("Hook", domain="work", operation="release") == {}
    until(link, lambda drivers: drivers.get(USB) == home[USB][0])
    # Nor does it start without them.
    hostd.write(policy.replace("05:00.0", "04:00.0") + f"device {DISK} to controllers\nunguard {DISK}\n")
    link.call("Reload")
    refused("Refused", f"{DISK} is in use: / is mounted", start)
    assert hostd.drivers() == home, hostd.drivers()


def back(finish, work):
    """What returns is said with its steps, before what is taken, and how long nobody is waited for."""
    policy = SWITCHING.replace("\tdevices 05:00.0\n", f"\tdevices 05:00.0 {LAN}\n", 1)
    hostd, link = begin(finish, work, policy + "assign net to controllers\nunguard 06:00.0\n",
                        "work", "play", running=["work"])
    until(link, lambda drivers: drivers[USB] == drivers[LAN] == "vfio-pci")
    link.wait_for("GetState", lambda said: not said["changing"])
    before = carried_out(hostd)
    for target, whats in (("play", ["return", "take", "take"]), (None, ["return", "return"])):
        called = {"controller": target} if target else {}
        said = link.call("PlanSwitch", **called)
        assert said["leaving"] == ["work"] and said.get("starting") == target, said
        assert [entry["what"] for entry in said["plans"]] == whats, said
        assert [device["address"] for entry in said["plans"] if entry["what"] == "return"
                for device in entry["plan"]["devices"]] == ([LAN] if target else [USB, LAN]), said
        assert said.get("endAfterSeconds") is None, said
        forced = link.call("PlanSwitch", force=True, **called)
        assert forced.pop("endAfterSeconds") == 120 and forced == {
            key: value for key, value in said.items() if key != "endAfterSeconds"}, forced
        out = switch(hostd, *([target] if target else ["--host"]), "--force")[1]
        assert "work is shut down, and ended if it still runs after 120 s\n" in out, out
        assert out.endswith(f"{target} is started\n" if target else said["plans"][-1]["text"]), out
    assert carried_out(hostd) == before, carried_out(hostd)


def moved_since(finish, work):
    """A card that has moved since it was defined keeps a switch from shutting anybody down."""
    os.makedirs(os.path.join(work, "state"))
    hostd_write(os.path.join(work, "state", "devices.scfg"), KNOWN)

    def define(*addresses):
        devices = "".join(HOSTDEV.replace("bus='0x06'", f"bus='0x{address[5:7]}'")
                          for address in addresses)
        return [domain("work", running=True),
                domain("play").replace("</os>", f"</os><devices>{devices}</devices>")]

    for addresses, words in (
            (["0000:05:00.0", "0000:02:00.0"], "play: fast has moved from 0000:02:00.0 to 0000:01:00.0, "
             "and the definition has the old address: portal-host domain edit play --remove-device "
             "0000:02:00.0 --device fast --apply"),
            (["0000:03:00.0"], "play: its definition has 0000:03:00.0, where there is no device now"),
            # Another card is where one was.
            ([DISK], f"play: its definition has {DISK}, which belongs to the host"),
            ([CARD, USB], "")):
        hostd = create(work, SWITCHING, define(*addresses)).start()
        link = hostd.link()
        until(link, lambda drivers: drivers[USB] == "vfio-pci")
        link.wait_for("GetState", lambda said: not said["changing"])
        before = hostd.machine_state()
        if words:
            refused("Refused", words, link.call, "Switch", controller="play")
            refused("Refused", words, link.call, "PlanSwitch", controller="play")
            status, _, error = switch(hostd, "play")
            assert status == 3 and words in error, (status, error)
            assert hostd.machine_state() == before, hostd.machine_state()
            assert b"stop work" not in hostd.log.text, hostd.log.text
        else:
            assert link.call("PlanSwitch", controller="play")["starting"] == "play"
        hostd.stop()


main({"again": again, "whole": whole, "moved": moved, "saved": saved, "foreseen": foreseen,
      "who-leaves": who_leaves, "back": back, "moved-since": moved_since})

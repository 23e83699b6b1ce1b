"""The kernel hangs in a change of portal-hostd's, and nothing ends that but the kernel: everybody else is
answered, and everything is as it was once it goes on, by itself. On a recorded machine whose drivers can be
changed, with the domains of libvirt's test driver: see hostdtest.py. No machine runs here, and time
passes only when the test says so."""

import contextlib
import os
import signal

from hostdmodel import begin, known
from hostdtest import LAN, USB, main, refused

POLICY = """
assign usb to controllers
assign net to router
controller work {
	devices 05:00.0
}
controller play {
	devices 05:00.0
}
router net
unguard 06:00.0
"""
DOMAINS = ("work", "play", "net", "stranger")
OTHER = "0000:00:14.0"
HANGS = f"could not unbind {USB} from xhci_hcd: the kernel hangs in it"


def journals(hostd):
    """The changes that were begun and not ended."""
    path = os.path.join(hostd.state, "transactions")
    ends = {}
    for name in set(os.listdir(path)) - {"lock"}:
        with open(os.path.join(path, name), encoding="utf-8") as file:
            ends[name] = '"end"' in file.read()
    return sorted(name for name, end in ends.items() if not end)


def hang(hostd, ask, operation="unbind", device=USB):
    """A call during which the kernel hangs."""
    hostd.order(f"stick-{operation} {device}")
    said = len(hostd.log.text)
    ask()
    hostd.log.for_text(f"the kernel hangs: {operation} {device}".encode(), said)


def goes_on(hostd, recover=None):
    """The kernel goes on; and the daemon settles what was left, or a call beside it does."""
    said = len(hostd.log.text)
    hostd.order("release")
    if recover:
        assert recover.call("Recover") == {}
    hostd.log.for_text(b"what was unfinished is settled", said)
    assert journals(hostd) == [], journals(hostd)


def descendants(pid):
    """Of a process: {pid: its parent's}."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
    found = {}
    while more := {child: parent for child, parent in parents.items()
                   if child not in found and (parent == pid or parent in found)}:
        found.update(more)
    return found


def changer(hostd):
    """The process that a step hangs in a worker of: of all children of the daemon the one with a child that
    has one, which is what the model keeps the worker in the kernel with."""
    tree = descendants(hostd.process.pid)
    return next(parent for keeper in tree if (worker := tree.get(keeper)) in tree
                and (parent := tree[worker]) in tree and tree[parent] in tree)


def prepare(link, domain, *devices):
    return link.call("Hook", domain=domain, operation="prepare", devices=devices)


def answers(finish, work):
    """While a step hangs, whatever does not depend on it is answered, and what does is refused with the
    reason when its time is over."""
    hostd, link = begin(finish, work, POLICY, *DOMAINS)
    before = hostd.drivers()
    assert link.call("Take", devices=[LAN]) == {}
    hang(hostd, lambda: link.send("Take", devices=[USB]))

    other, watch = link.again(), link.again()
    watch.send("GetState", more=True)
    assert watch.receive()["changing"] is True
    assert other.call("GetState")["changing"] is True
    assert len(other.call("ListDevices")["devices"]) > 10
    assert {entry["address"] for entry in other.call("ListAssignments")["devices"]} >= {USB, LAN}
    assert prepare(other, "stranger") == {}
    # What it is to have is there already.
    assert prepare(other, "net", LAN) == {}
    assert other.call("Hook", domain="net", operation="release") == {}
    refused("Busy", "a change of devices is under way", other.call, "Switch", controller="work")
    hostd.write(POLICY + "controller late\n")
    other.call("Reload")
    while "late" not in [vm["name"] for vm in watch.receive()["vms"]]:
        pass
    # These have to wait for what is under way.
    waiting, taking = link.again(), link.again()
    waiting.send("Hook", domain="work", operation="prepare", devices=[USB])
    taking.send("Take", devices=[OTHER], unguard=[OTHER])
    assert other.call("GetState")["changing"] is True

    hostd.order("expire")
    refused("Unfinished", HANGS, link.receive)
    for stuck in (waiting, taking):
        refused("Refused", "an earlier change is unfinished", stuck.receive)
    refused("Refused", "portal-host recover", other.call, "Take", devices=[OTHER], unguard=[OTHER])
    refused("Refused", "portal-host recover", other.call, "Switch", controller="work")
    refused("Unfinished", "still hangs in the kernel", other.call, "Recover")
    assert prepare(other, "net", LAN) == {}
    assert other.call("Hook", domain="net", operation="release") == {}
    assert len(journals(hostd)) == 1, journals(hostd)

    goes_on(hostd)
    assert other.call("Return", devices=[LAN]) == {}
    assert hostd.drivers() == before, hostd.drivers()
    assert prepare(other, "work", USB) == {}
    assert hostd.drivers()[USB][0] == "vfio-pci"


def killed(finish, work):
    """However the daemon ends while a step hangs, and whenever: the next one answers, begins nothing new,
    and everything is as it was once the kernel has gone on, whoever recovers then."""
    hostd, link = begin(finish, work, POLICY, *DOMAINS)
    before = hostd.drivers()

    def stop_and_start():
        hostd.order("restart")
        hostd.log.for_text(b"libvirt at", said)

    for operation, over, end in (("unbind", False, hostd.kill), ("unbind", True, stop_and_start),
                                 ("bind", False, stop_and_start), ("bind", True, hostd.kill)):
        hang(hostd, lambda: link.send("Take", devices=[USB]), operation)
        if over:
            hostd.order("expire")
            refused("Unfinished", "the kernel hangs in it", link.receive)
        said = len(hostd.log.text)
        end()
        link = known(hostd)
        # It has found out that there is nothing to be done yet.
        hostd.log.for_text(b"an earlier change cannot be settled: ", said)
        assert prepare(link, "stranger") == {}
        refused("Refused", "portal-host recover", link.call, "Take", devices=[LAN])
        assert len(journals(hostd)) == 1, journals(hostd)
        goes_on(hostd, link if over else None)
        assert hostd.drivers() == before, (operation, over, hostd.drivers())
        assert link.call("Take", devices=[LAN]) == {}
        assert link.call("Return", devices=[LAN]) == {}


def starts(finish, work):
    """A VM that was to have the device does not start, and hears why; nor is anybody else given it. The
    same when a switch was what wanted it."""
    hostd, link = begin(finish, work, POLICY, *DOMAINS)
    before = hostd.drivers()
    hang(hostd, lambda: link.send("Hook", domain="work", operation="prepare", devices=[USB]), "bind")
    other = link.again()
    assert prepare(other, "stranger") == {}
    hostd.order("expire")
    refused("Refused", f"could not bind {USB} to vfio-pci: the kernel hangs in it", link.receive)
    refused("Refused", "an earlier change is unfinished", prepare, other, "play", USB)
    goes_on(hostd)
    assert hostd.drivers() == before, hostd.drivers()

    hang(hostd, lambda: link.send("Switch", controller="work"))
    refused("Busy", "a switch is under way", other.call, "Switch", controller="play")
    said = other.call("GetState")
    assert said["switching"] and said["switchingTo"] == "work", said
    hostd.order("expire")
    refused("Failed", HANGS, link.receive)
    assert not other.call("GetState")["switching"]
    goes_on(hostd)
    assert hostd.drivers() == before, hostd.drivers()
    assert other.call("Switch", controller="work") == {}
    assert hostd.drivers()[USB][0] == "vfio-pci"


def ended(finish, work):
    """Who makes the change is killed, and the kernel still hangs in it: who asked hears it at once, and
    everything is as it was once the kernel has gone on."""
    hostd, link = begin(finish, work, POLICY, *DOMAINS)
    before = hostd.drivers()
    hang(hostd, lambda: link.send("Take", devices=[USB]))
    os.kill(changer(hostd), signal.SIGKILL)
    refused("Unfinished", "who was to do it was ended", link.receive)
    refused("Refused", "portal-host recover", link.call, "Take", devices=[LAN])
    assert len(journals(hostd)) == 1, journals(hostd)
    goes_on(hostd)
    assert hostd.drivers() == before, hostd.drivers()
    assert prepare(link, "work", USB) == {}


def in_vain(finish, work):
    """What cannot be settled for another reason is tried once, and not for ever."""
    hostd, link = begin(finish, work, POLICY, *DOMAINS)
    os.makedirs(os.path.join(hostd.state, "transactions"), exist_ok=True)
    with open(os.path.join(hostd.state, "transactions", "00000000000000000001.journal"), "w") as file:
        file.write("no journal\n")
    refused("Unfinished", "00000000000000000001.journal", link.call, "Recover")
    said = len(hostd.log.text)
    hostd.kill()
    link = known(hostd)
    for _ in range(3):
        refused("Refused", "00000000000000000001.journal", link.call, "Take", devices=[LAN])
    assert hostd.log.text.count(b"cannot be settled", said) == 1, hostd.log.text[said:]


main({"answers": answers, "killed": killed, "starts": starts, "ended": ended, "in-vain": in_vain})

"""portal-hostd with a real libvirtd and domains that are machines without a system on their disks.

hostd.py PORTAL-HOSTD CASE...: what the daemon answers, on its own socket and to a controller's door,
and that a virtual machine is started and stopped by policy whoever asks for it.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools", "lib"))

from portalvm import libvirt, varlink, wait  # noqa: E402, pylint: disable=wrong-import-position

HOSTD = os.path.realpath(sys.argv[1])
MACHINES = os.path.join(TOP, "tests", "machines")

# A machine that starts at once, finds nothing to boot, and so never hears a request to shut down.
DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
</domain>
"""


class Refused(Exception):
    """A varlink error: its name without the interface, and the reason."""

    def __init__(self, name, reason):
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


class Link:
    """One varlink connection."""

    def __init__(self, connection, interface):
        self.connection, self.interface = connection, interface
        self.connection.settimeout(wait.PATIENCE)
        self.pending = b""

    def send(self, method, more=False, **parameters):
        call = {"method": f"{self.interface}.{method}", "parameters": parameters}
        if more:
            call["more"] = True
        self.connection.sendall(json.dumps(call).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.pending:
            data = self.connection.recv(65536)
            if not data:
                raise wait.Failure("portal-hostd hung up")
            self.pending += data
        message, self.pending = self.pending.split(b"\0", 1)
        reply = json.loads(message)
        if "error" in reply:
            parameters = reply.get("parameters", {})
            raise Refused(reply["error"].split(".")[-1], parameters.get("reason", parameters))
        return reply.get("parameters", {})

    def call(self, method, **parameters):
        self.send(method, **parameters)
        return self.receive()

    def wait_for(self, method, holds):
        """Watches until what it says holds; returns it."""
        with contextlib.closing(self.again()) as link:
            link.send(method, more=True)
            while True:
                said = link.receive()
                if holds(said):
                    return said

    def again(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.connection.getpeername())
        return Link(connection, self.interface)

    def close(self):
        self.connection.close()


class Hostd:
    """The daemon on directories of its own."""

    def __init__(self, work, policy="", *arguments, machine=None, **environment):
        self.work = work
        self.socket = os.path.join(work, "hostd")
        self.config = os.path.join(work, "host.scfg")
        self.state = os.path.join(work, "state")
        self.arguments = [HOSTD, "--config", self.config, "--state", self.state,
                          "--socket", self.socket, *arguments]
        self.environment = environment
        self.write(policy)
        self.process = self.log = None

    def write(self, policy):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(policy)

    def start(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = os.path.join(self.work, "notify")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            notify.bind(path)
            notify.settimeout(wait.PATIENCE)
            self.process, self.log = wait.start(
                self.arguments, "portal-hostd",
                env=dict(os.environ, NOTIFY_SOCKET=path, **self.environment))
            while b"READY=1" not in notify.recv(4096).split(b"\n"):
                pass
        return self

    def stop(self):
        wait.stop(self.process)

    def link(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.socket)
        return Link(connection, "org.portal.Host")


def refused(name, words, call, *args, **parameters):
    """The call is refused by this error, with these words among its reason."""
    try:
        said = call(*args, **parameters)
    except Refused as refusal:
        assert refusal.name == name, f"{refusal}, not {name}"
        assert words in str(refusal.reason), f"{refusal.reason!r} lacks {words!r}"
        return
    raise wait.Failure(f"{args} {parameters} was not refused: {said}")


def states(said, kind="guests"):
    return {entry["name"]: entry["state"] for entry in said[kind]}


class Door:
    """What a portal-door that was started is given."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.settimeout(wait.PATIENCE)

    def accept(self):
        """The next one: (its arguments, its connection as a Link, the socket that keeps it)."""
        test, _ = self.listener.accept()
        data, descriptors, _, _ = socket.recv_fds(test, 4096, 1)
        connection = socket.socket(fileno=descriptors[0])
        return data.decode(), Link(connection, "org.portal.Door"), test


def define(finish, *names):
    for name in names:
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(DOMAIN.format(name=name))
            file.flush()
            libvirt.virsh("define", file.name)
        finish.callback(libvirt.destroy, name)


def begin(finish):
    daemon = libvirt.Libvirtd()
    finish.callback(daemon.stop)
    daemon.start()
    return daemon


GUESTS = """
controller work {{
	guests firefox mail ghost
	door unix:{door}
}}
controller play {{
	guests game
}}
guest firefox {{
	domain fox
	memory 64M
	heap 64M 128M
}}
guest large {{
	memory 64M
	heap 64M 128M
}}
memory {{
	reserve 1M
	budget {budget}
}}
"""


def guests(finish, work):
    """Guests by the host's own interface, and their memory by one budget."""
    begin(finish)
    define(finish, "fox", "mail", "game", "large")
    hostd = Hostd(work, GUESTS.format(door="/nowhere", budget="180M")).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    assert states(link.wait_for("ListGuests", lambda said: states(said)["mail"] == "off")) == {
        "firefox": "off", "large": "off", "mail": "off", "ghost": "undefined", "game": "off"}
    # Two at once do not count on the same memory.
    link.send("StartGuest", guest="firefox")
    with contextlib.closing(link.again()) as second:
        refused("Refused", "taken by the guests that run", second.call, "StartGuest", guest="large")
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
    assert memory["budget"] == 180 << 20, memory
    assert "budget" in memory["reason"] and "planned" not in memory, memory
    hostd.log.for_text(b"audit: uid 0, pid ")
    assert b"start guest large: refused: " in hostd.log.text

    hostd.write("controller work {\n\tguests mail\n}\n")
    link.call("Reload")
    link.wait_for("ListGuests", lambda said: states(said) == {"mail": "off"})
    hostd.write("controller work {\n")
    refused("Refused", "not valid scfg", link.call, "Reload")
    assert list(states(link.call("ListGuests"))) == ["mail"]


HEAP_DOMAIN = """
<domain type='qemu'>
  <name>fox</name>
  <maxMemory slots='4' unit='MiB'>1024</maxMemory>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
  <devices>
    <controller type='usb' model='none'/><memballoon model='none'/>
    <memory model='nvdimm' access='shared'>
      <source><path>{path}</path></source>
      <target><size unit='MiB'>96</size><node>0</node></target>
      <alias name='ua-portal-heap'/>
    </memory>
  </devices>
</domain>
"""


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
    link.wait_for("ListGuests", lambda said: states(said)["firefox"] == "off")

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


def door(finish, work):
    """What a controller's door gets to see and to do."""
    begin(finish)
    define(finish, "fox", "mail", "game", "work")
    path = os.path.join(work, "door")
    listener = Door(path)
    program = os.path.join(TOP, "tests", "host", "fake_door.py")
    hostd = Hostd(work, GUESTS.format(door=path, budget="1G"), "--door", program).start()
    finish.callback(hostd.stop)
    libvirt.virsh("start", "work")
    arguments, link, keeper = listener.accept()
    assert "--controller work" in arguments, arguments
    link.send("ListGuests", more=True)
    assert states(link.receive()) == {"firefox": "off", "mail": "off", "ghost": "undefined"}
    keeper.close()

    arguments, link, keeper = listener.accept()  # it is opened anew
    assert link.call("StartGuest", guest="mail") == {}
    assert link.call("StartGuest", guest="mail") == {}
    assert "running" in libvirt.virsh("domstate", "mail")
    for stranger in ("game", "large", "fox", "work", "../x", ""):
        refused("NoSuchGuest", "for controller work", link.call, "StartGuest", guest=stranger)
        refused("NoSuchGuest", "for controller work", link.call, "StopGuest", guest=stranger)
        refused("NoSuchGuest", "for controller work", link.call, "ReportHeap", guest=stranger,
                used=1)
    refused("InvalidParameter", "guest", link.call, "StartGuest")
    refused("InvalidParameter", "used", link.call, "ReportHeap", guest="firefox", used=-1)
    link.send("ListGuests", more=True)
    libvirt.virsh("destroy", "mail")
    while states(link.receive())["mail"] != "off":
        pass
    link.interface = "org.portal.Host"
    keeper.close()

    arguments, link, keeper = listener.accept()
    link.interface = "org.portal.Host"
    refused("MethodNotFound", "", link.call, "GetState")
    libvirt.virsh("destroy", "work")
    assert keeper.recv(1) == b"", "the door stays when its controller has gone"


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
    assert link.call("StartGuest", guest="mail") == {}
    link.send("StopGuest", guest="mail", timeoutSeconds=3600)
    link.wait_for("ListGuests", lambda said: states(said)["mail"] == "running")
    daemon.stop()
    refused("NoLibvirt", "", link.receive)


CASES = {"guests": guests, "heap": heap, "door": door, "libvirt-away": libvirt_away}


def main():
    for name in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as finish:
            CASES[name](finish, work)
        print(f"ok - {name}", flush=True)


main()

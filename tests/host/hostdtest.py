"""portal-hostd with a real libvirtd and domains that are machines without a system on their disks:
what the tests hostd_SUBJECT.py have in common. Each is run as

hostd_SUBJECT.py PORTAL-HOSTD HOSTD-MODEL PORTAL-HOST-HOOK CASE...
"""

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools", "lib"))

from portalvm import libvirt, wait  # noqa: E402, pylint: disable=wrong-import-position

HOSTD, MODEL, HOOK = (os.path.realpath(path) for path in sys.argv[1:4])
SHELL = os.path.join(os.path.dirname(os.path.dirname(HOSTD)), "portal-host")

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
    """The daemon on directories of its own; before: a command that becomes it."""

    def __init__(self, work, policy="", *arguments, machine=None, before=(), **environment):
        self.work = work
        self.socket = os.path.join(work, "hostd")
        self.config = os.path.join(work, "host.scfg")
        self.state = os.path.join(work, "state")
        program = [MODEL, machine] if machine else [HOSTD]
        self.arguments = [*before, *program, "--config", self.config, "--state", self.state,
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

    def kill(self):
        """The daemon of a model dies, and another one takes its place."""
        said = len(self.log.text)
        self.process.send_signal(signal.SIGUSR1)
        said = self.log.for_text(b"the daemon is dead", said)
        self.log.for_text(b"libvirt at", said)

    def order(self, what):
        """Something happens to the machine of a model: hostd_model.c has what. Of a daemon that was made
        with MODEL_SOCKET."""
        said = len(self.log.text)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as control:
            control.sendto(what.encode(), self.environment["MODEL_SOCKET"])
        self.log.for_text(f"model: {what}\n".encode(), said)

    def machine_state(self):
        """Who drives what in the model, and whether the console is there, a line each."""
        said = len(self.log.text)
        self.process.send_signal(signal.SIGUSR2)
        end = self.log.for_text(b"\n.\n", said)
        # The daemon may have said something before.
        return self.log.text[self.log.text.index(b"0000:00:00.0 ", said):end]

    def drivers(self):
        """Of the model's devices by address: (driver, override)."""
        lines = (line.split(" ") for line in self.machine_state().decode().split("\n"))
        return {line[0]: (line[1], line[2]) for line in lines if line[0].startswith("0000:")}

    def link(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.socket)
        return Link(connection, "org.portal.Host")


def refused(name, words, call, *args, **parameters):
    """The call is refused by this error, or one of these, with these words among its reason."""
    try:
        said = call(*args, **parameters)
    except Refused as refusal:
        assert refusal.name in ((name,) if isinstance(name, str) else name), f"{refusal}, not {name}"
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


def define_xml(finish, work, name, xml):
    path = os.path.join(work, f"{name}.xml")
    hostd_write(path, xml)
    libvirt.virsh("define", path)
    finish.callback(libvirt.destroy, name)


def begin(finish, hook=None, **settings):
    daemon = libvirt.Libvirtd()
    finish.callback(daemon.stop)
    daemon.start(hook, **settings)
    return daemon


def hostd_write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def hook_script(work):
    return (f"#!/bin/sh\nexport PORTAL_HOST_SOCKET={work}/hostd\n"
            f"export PORTAL_HOST_CONFIG={work}/host.scfg\n"
            f'exec {HOOK} "$@"\n')


def journals(hostd):
    """The changes that were begun."""
    path = os.path.join(hostd.state, "transactions")
    return sorted(set(os.listdir(path)) - {"lock"}) if os.path.exists(path) else []


def carried_out(hostd):
    """What was done to devices, by the journals: [(what, plan)]. Their lines begin with a checksum."""
    begun = []
    for name in journals(hostd):
        with open(os.path.join(hostd.state, "transactions", name), encoding="utf-8") as file:
            begun.append(json.loads(file.readline().split(" ", 1)[1]))
    return [(entry["begin"], entry["plan"]) for entry in begun]


def drivers(link):
    return {entry["address"]: entry.get("driver")
            for entry in link.call("ListAssignments")["devices"]}


def until(link, holds):
    """Waits, by what the daemon says of itself, until it holds of the devices' drivers."""
    with contextlib.closing(link.again()) as watch:
        watch.send("GetState", more=True)
        while not holds(drivers(link)):
            watch.receive()


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
	unnamed refuse
	reserve 1M
	budget {budget}
}}
"""
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
CONTROLLERS = """
assign usb to controllers
assign net to router
controller work
controller play {
	devices 05:00.0
}
controller broken {
	devices 05:00.0
}
router net
unguard 06:00.0
"""
USB, MORE_USB, LAN = "0000:05:00.0", "0000:00:14.0", "0000:06:00.0"


def controllers(finish, work, *arguments, before=()):
    """libvirtd with the hook, the domains, and the daemon on a modelled machine."""
    begin(finish, hook_script(work))
    define(finish, "work", "play", "net", "fox")
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        disk = "<devices><disk type='file'><source file='/nowhere'/><target dev='sda'/></disk>"
        file.write(DOMAIN.format(name="broken").replace("<devices>", disk))
        file.flush()
        libvirt.virsh("define", file.name)
    hostd = Hostd(work, CONTROLLERS, *arguments, machine="two-gpu-desktop", before=before).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    return hostd, link


def main(cases):
    for name in sys.argv[4:]:
        with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as finish:
            cases[name](finish, work)
        print(f"ok - {name}", flush=True)

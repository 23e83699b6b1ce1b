"""Layout siblings with a host: a controller VM whose portal-run asks portal-hostd to start its guest,
shows its window, and stops it; and what that VM cannot do.

door.py [systemd]: the controller is started by systemd, whose unit hands over the keys.

The "host" is where libvirt and portal-hostd run. The controller has no network and no vsock: nothing
but the port of its door and the guest's channel and heap. (Over vsock: door_vsock.py.)
"""

import json
import os
import socket
import sys
import xml.etree.ElementTree

import vmtest
from portalvm import images, libvirt, siblings, varlink, wait
from portalvm.programs import Programs

# A guest of the host's that the policy gives to nobody. It has nothing to boot.
STRANGER = """
<domain type='qemu'>
  <name>stranger</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
</domain>
"""

POLICY = """
controller work {{
	domain controller
	guests demo
	door {door} {directory}/work.key
}}
controller other {{
	guests stranger
	{other}
}}
guest demo {{
	memory 768M
	heap 128M 128M
}}
memory {{
	reserve 1M
}}
"""

PORT = "/dev/virtio-ports/org.portal.host.0"
# Through the real port, as portal-run would go.
RUBBISH = f"head -c 300000 /dev/urandom >{PORT}"

CONFIG = """
vm demo {{
	uri door:{door}
	label "demo" "#c0392b"
	transport {transport}
	heap {heap}
	command foot
}}
vm stranger {{
	uri door:{door}
	label "stranger" "#000000"
	transport {transport}
	heap {heap}
}}
"""

# What is said on standard error is on the console, too.
COMMANDS = """
list() {{
	echo "session: $1: $(portal-run --list --json | tr -d '\\n')"
}}
attempt() {{
	portal-run "$@" </dev/null
	echo "session: attempt: $* = $?"
}}
echo "session: channels: $(cd /dev/virtio-ports && echo *); $(cd /sys/class/net && echo *)"
{rubbish}
list before
portal-run --timeout {patience} vm:demo -- {command}
echo "session: exited: $?"
list during
attempt vm:stranger -- true
attempt --stop vm:stranger --force
attempt --timeout {patience} --stop vm:demo
list after
"""

# What says something in the journal of a controller that has one.
JOURNAL = """
portal-run local: -- true
{journal}
echo "session: journal: end"
"""


# Under which name and as what the programs that portal-run starts are in the journal.
LOGS = {
    "portal-bridge@demo": "portal-bridge[demo]: ",
    "portal-bridge@local": "portal-bridge[local]: ",
    "portal-agent@local": "portal-agent[local]: ",
}


class Controlled(siblings.Siblings):
    """The two VMs, of which the second is started by the first."""

    ports = ["org.portal.guest.demo", "org.portal.host.0"]  # the controller's
    address = f"virtio-serial:{PORT}"  # the door, as the controller has it

    def __init__(self, *arguments, systemd=False):
        super().__init__(*arguments, heap="nvdimm", channel="virtio-serial")
        self._systemd = systemd
        self.hostd = self.log = None
        self.state_directory = os.path.join(self._directory, "state")
        os.mkdir(self.state_directory)
        self._socket = os.path.join(self._directory, "hostd")
        self._config = self._write("host.scfg", self._policy())
        self._host_options = ["--config", self._config]

    def _write(self, name, text):
        path = os.path.join(self._directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _policy(self):
        door = f"virtio-serial:{self._directory}/work.door"
        return POLICY.format(directory=self._directory, door=door, other="")

    def _controller_config(self, transport, heap):
        return CONFIG.format(door=self.address, transport=transport, heap=heap)

    def _rubbish(self):
        """Commands of the controller's that break the door's rules."""
        return RUBBISH

    def _commands(self, command, patience):
        commands = COMMANDS.format(rubbish=self._rubbish(), command=command, patience=patience)
        if self._systemd:
            commands += JOURNAL.format(journal=vmtest.journal(*LOGS))
        return commands

    def _format_heap(self):
        pass  # the host makes it

    def _start_machines(self, kind, command):
        libvirt.virsh("define", self._write("stranger.xml", STRANGER))
        self._define_controller(kind, command)
        self._edit("work", "--door")
        self._start_hostd()
        # As portal-hostd does it for a controller that it starts.
        self._host("domain", "prepare", "work")
        libvirt.virsh("start", "controller")
        self.log.for_text(b"the door of controller work is open at")

    def _start_hostd(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = os.path.join(self._directory, "notify")
            notify.bind(path)
            notify.settimeout(wait.PATIENCE)
            self.hostd, self.log = wait.start(
                [self._programs["portal-hostd"], "--config", self._config,
                 "--state", self.state_directory, "--socket", self._socket,
                 "--door", self._programs["portal-door"]],
                "portal-hostd", env=dict(os.environ, NOTIFY_SOCKET=path))
            while b"READY=1" not in notify.recv(4096).split(b"\n"):
                pass

    def guests(self):
        """What portal-hostd says of all guests, on the host."""
        said = varlink.call(self._socket, "org.portal.Host.ListGuests")
        return {guest["name"]: guest["state"] for guest in said["guests"]}

    def said(self, what, start=0):
        """The rest of a line of the session: (text, offset behind it)."""
        position = self.console.said.for_text(f"session: {what}: ".encode(), start,
                                              unless=(b"session: portal ended",))
        end = self.console.said.for_text(b"\n", position)
        return self.console.said.text[position:end].decode().strip(), end

    def listed(self, when):
        rows = json.loads(self.said(when)[0])
        return {row["name"]: row.get("domain") for row in rows}

    def stop(self):
        libvirt.destroy("stranger")
        wait.stop(self.hostd)
        super().stop()


def channels_of_the_controller():
    """Virtio ports and network devices that the controller's machine has."""
    live = xml.etree.ElementTree.fromstring(libvirt.virsh("dumpxml", "controller"))
    ports = [channel.find("target").get("name") for channel in live.findall("./devices/channel")]
    others = [kind for kind in ("interface", "vsock", "filesystem", "hostdev", "redirdev")
              if live.find(f"./devices/{kind}") is not None]
    return sorted(ports), others


def check_journal(pair, start):
    """Bridges and the agent of local: are in the controller's journal, each in its VM's name."""
    _, end = pair.said("journal", start)
    found = vmtest.told(pair.console.said.text[start:end])
    for identifier, prefix in LOGS.items():
        vmtest.check_log(found, identifier, prefix)


def check_window(pair):
    """The guest that the controller has asked for shows its window there."""
    vmtest.check(pair.listed("before") == {"demo": "off", "stranger": "not defined", "local": None},
                 "before, the controller sees its guest, which is off, and not another's")
    window = pair.window()
    vmtest.check((window["kind"], window["label"], window["color"]) == ("vm", "demo", "#c0392b"),
                 "the guest that the host was asked to start has its window on the controller")
    vmtest.check(pair.guests() == {"demo": "running", "stranger": "off"},
                 "the host says that it runs")
    pair.wait_content()
    pair.type(vmtest.LINE)
    pair.guest.console.said.for_text(vmtest.SAID)
    pair.wait_picture(lambda picture: vmtest.shows_bar(picture, window))
    vmtest.check(True, "what is typed in the controller is run there and seen here")


def check_ways_out(pair):
    vmtest.check(channels_of_the_controller() == (pair.ports, []),
                 "the controller has its guest's channel, its door, and no other way out")
    ports, _ = pair.said("channels")
    vmtest.check(ports == f"{' '.join(pair.ports)}; lo", f"which is what it finds itself: {ports}")


def check_end(pair):
    """What the controller asks for when the window has gone. The offset behind it on its console."""
    pair.type("exit 7\n")
    vmtest.check(pair.wait_exit() == 7, "portal-run ends with the program's status")
    vmtest.check(pair.listed("during") == {"demo": "running", "stranger": "not defined",
                                           "local": None}, "it is seen to run")
    start, end = pair.said("attempt")
    stop, end = pair.said("attempt", end)
    vmtest.check(start.endswith("= 204") and stop.endswith("= 204"),
                 f"another's guest is neither started nor stopped: {start}; {stop}")
    vmtest.check("gives this controller no guest stranger" in
                 pair.console.said.text.decode(errors="replace"), "which is said")
    vmtest.check(pair.guests()["stranger"] == "off", "nor has it been")
    stopped, end = pair.said("attempt", end)
    vmtest.check(stopped.endswith("vm:demo = 0"), f"its own is: {stopped}")
    vmtest.check(pair.listed("after") == {"demo": "off", "stranger": "not defined", "local": None},
                 "and seen to be off")
    vmtest.check(pair.guest.state() == "shut off", "libvirt says so as well")
    return end


def check_host(pair):
    """What the host knows of it."""
    log = pair.log.text.decode(errors="replace")
    vmtest.check("audit: controller work: start guest demo: done" in log and
                 "audit: controller work: stop guest demo: done" in log,
                 "the host has it in its log, in the controller's name")
    history = os.path.join(pair.state_directory, "heap-use.scfg")
    wait.for_path(history, pair.hostd)  # the keeper tells it at its end
    with open(history, encoding="utf-8") as file:
        vmtest.check("demo" in file.read(), "and what the guest's heap was used for in its history")


def test(finish):
    systemd = "systemd" in sys.argv[1:]
    pair = Controlled(Programs(vmtest.BUILD), images.Images(vmtest.BUILD), vmtest.progress,
                      systemd=systemd)
    finish.callback(pair.stop)
    pair.start(["foot"])
    check_window(pair)
    check_ways_out(pair)
    end = check_end(pair)
    if systemd:
        check_journal(pair, end)
    check_host(pair)


if __name__ == "__main__":
    vmtest.run(test, "controller", "demo")
    sys.exit(0)

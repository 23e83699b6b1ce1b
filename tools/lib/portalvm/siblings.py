"""Layout siblings: a controller VM and an application VM, of which the host sees nothing.

The two share a heap, as nvdimm or as ivshmem, and a pipe: a vsock, or two virtio-serial ports that
QEMU's unix sockets join. portal runs on the controller's own console, on a KMS screen of QEMU's.
"""

import json
import os
import subprocess
import tempfile
import xml.etree.ElementTree

from . import archive, guest, keys, libvirt, vsock, wait
from .console import Console
from .picture import Picture

CONTROLLER_CID = 3
_GUEST_CID = 4
_PORT = "org.portal.guest.demo"  # portal-host's name for it
_MIB = 1 << 20
_HEAP_SIZE = 128 * _MIB

# The host's file of the definition, needed only to write that definition.
_HOST_CONFIG = """
vm demo {
	uri qemu:///system
	heap-size 128M
}
"""

_CONTROLLER_CONFIG = """
vm demo {{
	uri none
	label "demo" "#c0392b"
	transport {transport}
	heap {heap}
	key /run/credentials/portal.key.demo
	command foot
}}
"""

# What portal runs in the controller VM before the commands of _commands(). Everything it says on the serial
# console is an event for this end: each change of the screen, the window and the bridge's state, and
# portal-run's end.
_SESSION = """#!/bin/sh
exec >/dev/ttyS0 2>&1
# The address of an ivshmem device is libvirt's choice.
address=$(dirname "$(grep -ls 0x1110 /sys/bus/pci/devices/*/device)" 2>/dev/null)
mkdir -p ~/.config/portal
sed "s/IVSHMEM/${address##*/}/" /etc/portal/portal.scfg >~/.config/portal/portal.scfg
sockets=$XDG_RUNTIME_DIR/portal
(
	mkfifo "$XDG_RUNTIME_DIR/watch"
	varlinkctl --more --json=short --timeout=infinity call \\
		"$sockets/$WAYLAND_DISPLAY.varlink" org.portal.Controller.Watch '{}' \\
		>"$XDG_RUNTIME_DIR/watch" &
	watcher=$!
	while read -r state; do
		case $state in
		*'"vm":"demo"'*)
			echo "session: window: $state"
			break
			;;
		esac
	done <"$XDG_RUNTIME_DIR/watch"
	kill $watcher
	varlinkctl --json=short call "$sockets/bridge-demo.varlink" org.portal.Bridge.GetState '{}' |
		sed 's/^/session: state: /'
	exec /usr/local/bin/test-changes
) &
"""

_RUN = """
portal-run --timeout {patience} vm:demo -- {command}
echo "session: exited: $?"
echo "session: over"
"""

_DOMAIN = """
<domain type='{type}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>controller</name>
  <maxMemory slots='4' unit='MiB'>8192</maxMemory>
  <memory unit='MiB'>1024</memory>
  <memoryBacking>
    <source type='memfd'/><access mode='shared'/><allocation mode='immediate'/>
  </memoryBacking>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{command_line}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='{cpu}'>
    <numa><cell id='0' cpus='0-1' memory='1024' unit='MiB' memAccess='shared'/></numa>
  </cpu>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{root}'/><target dev='vda' bus='virtio'/>
      <readonly/><shareable/><serial>portal-root</serial>
    </disk>
    <serial type='file'><source path='{console}'/></serial>
    <video><model type='virtio' heads='1'><resolution x='800' y='600'/></model></video>
    <graphics type='vnc' autoport='yes' listen='127.0.0.1'/>
    <input type='keyboard' bus='virtio'/><input type='tablet' bus='virtio'/>
    <controller type='usb' model='none'/><memballoon model='none'/>
  </devices>
  {arguments}
</domain>
"""

_VSOCK = """<qemu:commandline>
<qemu:arg value='-chardev'/><qemu:arg value='socket,id=vsock,path={path}'/>
<qemu:arg value='-device'/>
<qemu:arg value='vhost-user-vsock-pci,chardev=vsock,bus=pcie.0,addr=0x1c'/></qemu:commandline>"""


class Siblings:
    """The two VMs; heap is nvdimm or ivshmem, channel vsock or virtio-serial."""

    def __init__(self, programs, images, progress, heap="nvdimm", channel="vsock"):
        self._programs = programs
        self._images = images
        self._progress = progress
        self._heap = heap
        self._channel = channel
        self._directory = tempfile.mkdtemp(prefix="siblings-")
        self._daemon = libvirt.Libvirtd()
        self._vsock = None
        self._host_options = []  # portal-host's
        self._systemd = False  # starts the controller, with Portal's units
        self.guest = None
        self.console = None
        self.state = None  # the bridge's, inside the controller VM
        self._changes = 0  # offset in the console of the last change seen

    # --- set up

    def start(self, command):
        """Starts both, and returns when the command's window is on the controller's screen."""
        self._progress("starting libvirt")
        self._daemon.start()
        self._define_guest()
        kind = self.guest.accelerator()
        self._progress("starting the two machines" + (" (KVM)" if kind == "kvm" else
                       ": KVM runs no guests here, so their processors are emulated (TCG)"))
        self._format_heap()
        self._vsock = self._start_vsock()
        self._start_machines(kind, command)
        position = self.console.said.for_text(
            b"session: state: ", unless=(b"session: portal ended", b"session: over"))
        line_end = self.console.said.for_text(b"\n", position)
        self.state = json.loads(self.console.said.text[position:line_end])
        guest.check_shared(self.state)

    def _start_machines(self, kind, command):
        libvirt.virsh("start", "demo")
        self._define_controller(kind, command)
        libvirt.virsh("start", "controller")

    def _define_guest(self):
        config = os.path.join(self._directory, "portal.scfg")
        with open(config, "w", encoding="utf-8") as file:
            file.write(_HOST_CONFIG)
        self.guest = guest.Guest(self._programs, self._images, config, "demo")
        control = ["--control", "virtio-serial"]
        if self._channel == "vsock":
            control = ["--control", "vhost-user-vsock", "--cid", str(_GUEST_CID)]
        self.guest.define("--heap", self._heap, *control)
        if self._channel == "virtio-serial":
            # A place that lasts, for the controller's definition to name.
            self._edit("demo", "--channel",
                       f"virtio-serial,path={os.path.join(self._directory, 'demo.channel')}")
        self._guest_xml = xml.etree.ElementTree.fromstring(libvirt.virsh("dumpxml", "demo"))

    def _format_heap(self):
        """Makes the heap's file, which portal-run does where the controller is the host."""
        path = self.heap_path()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        command = [self._programs["portal-heap"], "create", path, str(_HEAP_SIZE)]
        if self._heap == "nvdimm":
            command.append("--dax")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise wait.Failure(f"portal-heap: {done.stderr.strip()}")

    def heap_path(self):
        """The host's file that both machines map."""
        if self._heap == "nvdimm":
            return self._guest_xml.find("./devices/memory/source/path").text
        return "/dev/shm/" + self._guest_xml.find("./devices/shmem").get("name")

    def _start_vsock(self):
        """What serves the machines' vsocks, or None where they have none."""
        if self._channel != "vsock":
            return None
        # The guest's socket is where its definition says.
        for element in self._guest_xml.iter():
            if "vsock-socket" in element.attrib:
                path = element.get("vsock-socket")
                return vsock.Device(self._directory, {CONTROLLER_CID: "pair", _GUEST_CID: "pair"},
                                    {_GUEST_CID: path})
        raise wait.Failure("the guest's definition has no vsock")

    def _controller_config(self, transport, heap):
        """portal.scfg in the controller."""
        return _CONTROLLER_CONFIG.format(transport=transport, heap=heap)

    def _commands(self, command, patience):
        """What the session does, in the shell's language."""
        return _RUN.format(command=command, patience=patience)

    def _controller_initrd(self, command):
        heap = "dax:/dev/dax0.0" if self._heap == "nvdimm" else "ivshmem:IVSHMEM"
        transport = f"vsock:{_GUEST_CID}:7000"
        if self._channel == "virtio-serial":
            transport = f"virtio-serial:/dev/virtio-ports/{_PORT}"
        config = self._controller_config(transport, heap)
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)
        session = _SESSION + self._commands(quoted, round(wait.PATIENCE))
        files = {
            "/project/etc/portal/portal.scfg": config.encode(),
            "/project/etc/portal/session": (session.encode(), 0o755),
        }
        with open(self._programs["test-changes"], "rb") as file:
            files["/project/usr/local/bin/test-changes"] = (file.read(), 0o755)
        path = os.path.join(self._directory, "initrd")
        with open(self._images.initrd, "rb") as base, open(path, "wb") as out:
            out.write(base.read())
            out.write(archive.pack(files))
        return path

    def _define_controller(self, kind, command):
        self.console = Console(os.path.join(self._directory, "controller"), "controller")
        arguments = ""
        if self._vsock:
            arguments = _VSOCK.format(path=self._vsock.vhost_path(CONTROLLER_CID))
        definition = _DOMAIN.format(
            type=kind, cpu="host-passthrough" if kind == "kvm" else "maximum",
            kernel=os.path.realpath(self._images.kernel), initrd=self._controller_initrd(command),
            command_line=self._images.command_line("controller", "controller", self._systemd),
            root=os.path.realpath(self._images.root), console=self.console.path,
            arguments=arguments,
        )
        path = os.path.join(self._directory, "controller.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(definition)
        libvirt.virsh("define", path)
        # The guest's heap, the other end of its channel, and its key.
        self._edit("controller", "--guest", "demo")

    def _edit(self, *arguments):
        """Changes a domain's definition as its owner would."""
        self._host("domain", "edit", *arguments, "--apply")

    def _host(self, *arguments):
        """portal-host, on the host."""
        done = subprocess.run(
            [self._programs["portal-host"], *self._host_options, *arguments],
            capture_output=True, text=True, check=False,
        )
        if done.returncode:
            raise wait.Failure(f"portal-host {' '.join(arguments)}: {done.stderr.strip()}")

    # --- what the machines do

    @property
    def report(self):
        """A line for people about the two machines."""
        return (f"boot ids {self.state['agentBootId'][:8]}… and {self.state['bootId'][:8]}…, "
                f"{self._heap}, {self._channel}")

    @property
    def vnc(self):
        """Where the controller's screen is shown."""
        return libvirt.virsh("vncdisplay", "controller").strip()

    def _monitor(self, command, **arguments):
        text = json.dumps({"execute": command, "arguments": arguments})
        return libvirt.virsh("qemu-monitor-command", "controller", text)

    def type(self, text):
        """Types ASCII text on the controller's keyboard, which has the American layout."""
        for letter in text:
            key, shift = keys.qcode(letter)
            names = (["shift"] if shift else []) + [key]
            strokes = [(name, True) for name in names] + [(name, False) for name in names[::-1]]
            self._monitor("input-send-event", events=[
                {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}
                for name, down in strokes
            ])

    def picture(self):
        """The controller's screen as QEMU scans it out."""
        path = os.path.join(self._directory, "screen.ppm")
        self._monitor("screendump", filename=path)
        with open(path, "rb") as file:
            return Picture.from_ppm(file.read())

    def save_picture(self, path):
        """The same as a PNG."""
        self._monitor("screendump", filename=path, format="png")

    def wait_picture(self, wanted):
        """Looks at the screen after every change of it until wanted(picture) is true."""
        said = self.console.said
        while True:
            self._changes = said.for_text(b"changed", self._changes)
            self._changes = max(self._changes, said.text.rfind(b"changed") + len(b"changed"))
            picture = self.picture()
            if wanted(picture):
                return picture

    def window(self):
        """The guest's window as the controller's portal describes it."""
        position = self.console.said.for_text(b"session: window: ")
        end = self.console.said.for_text(b"\n", position)
        # A stream's replies are a JSON text sequence (RFC 7464), each behind a record separator.
        state = json.loads(self.console.said.text[position:end].strip(b"\x1e\r\n"))["state"]
        return next(window for window in state["windows"] if window["vm"] == "demo")

    def wait_content(self):
        """Waits until the guest's window shows more than a plain colour and a cursor."""
        box = self.window()["box"]
        area = (box["x"], box["y"], box["width"], box["height"])
        self.wait_picture(lambda picture: len(picture.colors(*area)) > 2)

    def wait_exit(self):
        """Waits for portal-run's end in the controller; returns its exit status."""
        # For as long as the user likes.
        position = self.console.said.for_text(b"session: exited: ", patience=None)
        end = self.console.said.for_text(b"\n", position)
        return int(self.console.said.text[position:end])

    def stop(self):
        for name in ("controller", "demo"):
            libvirt.destroy(name)
        if self._vsock:
            self._vsock.stop()
        self._daemon.stop()

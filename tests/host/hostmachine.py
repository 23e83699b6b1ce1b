"""A QEMU machine with an IOMMU, as the host that portal-host works on, and a shell in it.

Stock Debian kernel under TCG; nothing of this machine itself is touched.
"""

import json
import lzma
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools", "lib"))

from portalvm import archive  # noqa: E402
from portalvm.qmp import Qmp  # noqa: E402
from portalvm.wait import PATIENCE, Failure  # noqa: E402

# What the shell comes through; loaded first.
SHELL_MODULES = ["virtio_pci", "virtio_console"]


def libraries(program):
    """The shared libraries of a program and its loader, as paths."""
    output = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", output)


def module_files(tree, version, names):
    files = set()
    for module in names:
        shown = subprocess.run(
            ["modprobe", "-d", os.path.join(tree, "usr"), "-S", version, "--show-depends", module],
            check=True, capture_output=True, text=True).stdout
        files |= set(re.findall(r"^insmod (\S+)", shown, re.M))
    return sorted(files)


def modules(tree, names):
    """Modules with an index of their own, as {path: bytes}."""
    source = os.path.join(tree, "usr", "lib", "modules")
    version, = os.listdir(source)
    with tempfile.TemporaryDirectory() as work:
        target = os.path.join(work, "lib", "modules", version)
        os.makedirs(target)
        for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            with open(os.path.join(source, version, name), "rb") as file:
                data = file.read()
            with open(os.path.join(target, name), "wb") as file:
                file.write(data)
        for path in module_files(tree, version, names):
            opener = lzma.open if path.endswith(".xz") else open
            with opener(path, "rb") as file:
                data = file.read()
            name = os.path.basename(path).removesuffix(".xz")
            with open(os.path.join(target, name), "wb") as file:
                file.write(data)
        subprocess.run(["depmod", "-b", work, version], check=True)
        found = {}
        for name in os.listdir(target):
            with open(os.path.join(target, name), "rb") as file:
                found[f"/lib/modules/{version}/{name}"] = file.read()
        return found


def initramfs(tree, programs, boot_modules, later_modules, *, init="init", files=None):
    """boot_modules are loaded at boot; later_modules are there for who loads them. init: its first
    process, a file beside this one; files: more, as archive.pack() takes them."""
    first = [*SHELL_MODULES, *boot_modules]
    files = {**(files or {}), **modules(tree, [*first, *later_modules])}
    files["/boot-modules"] = " ".join(first).encode() + b"\n"
    for target, source in [("/init", os.path.join(TOP, "tests/host", init)),
                           ("/bin/busybox", "/bin/busybox"), *programs.items()]:
        with open(source, "rb") as file:
            files[target] = (file.read(), 0o755)
    for program in programs.values():
        for library in libraries(program):
            with open(library, "rb") as file:
                files[library] = (file.read(), 0o755)
    return archive.pack(files)


class Silence(Failure):
    """The machine no longer answers: nothing more can be tested on it."""


class Shell:
    """A machine's shell (tests/host/init) at the other end of a socket."""

    def __init__(self, connection, last_words):
        """last_words: called for what is to be said of a machine that went away or gives no answer."""
        self._socket = connection
        self._shell = connection.makefile("rb")
        self._last_words = last_words

    def wait_ready(self):
        if self.read_answer()[1] != "ready":
            raise Failure("the machine did not come up")

    def read_answer(self):
        """The output up to the status, and the status."""
        lines = []
        self._socket.settimeout(PATIENCE)
        while True:
            try:
                line = self._shell.readline()
            except TimeoutError:
                raise Silence("no answer, after:\n" + "\n".join([*lines, self._describe()])) from None
            if not line:
                raise Silence("the machine went away:\n" + self._describe())
            text = line.decode(errors="replace").strip("\r\n")
            # Differences of files have lines that begin alike.
            answer = re.fullmatch(r"@@ (ready|\d+)", text)
            if answer:
                return lines, answer.group(1)
            lines.append(text)

    def _describe(self):
        try:
            return self._last_words()
        except Failure as failure:
            return f"and nothing can be found out about it: {failure}"

    def send(self, command):
        """Begins a line in the machine's shell; result() is its output."""
        self._socket.sendall(command.encode() + b"\n")

    def result(self, command, status=0):
        lines, got = self.read_answer()
        if status is not None and got != str(status):
            raise Failure(f"{command}: status {got} instead of {status}:\n" + "\n".join(lines))
        return "\n".join(lines)

    def run(self, command, status=0):
        """Runs a line in the machine's shell; its output. Any other status is a failure."""
        self.send(command)
        return self.result(command, status)


class Host(Shell):
    """A machine that runs, its shell on a virtio port, and its monitor."""

    def __init__(self, work, arguments, fds=()):
        """arguments: QEMU's, without those of the shell, the serial console and the monitor; fds:
        descriptors that they name."""
        shell, its_shell = socket.socketpair()
        monitor, its_monitor = socket.socketpair()
        command = [
            "qemu-system-x86_64",
            "-chardev", f"file,id=console,path={work}/console.log", "-serial", "chardev:console",
            "-chardev", f"socket,id=shell,fd={its_shell.fileno()}",
            # First, so that a port of the arguments finds it.
            "-device", "virtio-serial-pci,bus=pcie.0,addr=0xa",
            "-device", "virtserialport,chardev=shell,name=shell",
            "-chardev", f"socket,id=qmp,fd={its_monitor.fileno()}",
            "-mon", "chardev=qmp,mode=control", *arguments,
        ]
        self.process = subprocess.Popen(
            command, pass_fds=[its_shell.fileno(), its_monitor.fileno(), *fds])
        its_shell.close()
        its_monitor.close()
        super().__init__(
            shell, lambda: f"(QEMU: {self.process.poll()})\n{self.console()[-2000:]}")
        self._work = work
        self.monitor = Qmp(monitor)
        self.wait_ready()

    def console(self):
        """What the kernel said on its serial console."""
        with open(os.path.join(self._work, "console.log"), errors="replace") as file:
            return file.read()

    def host(self, *args, status=0):
        return self.run(shlex.join(["portal-host", *args]), status)

    def devices(self):
        return json.loads(self.host("--json", "list"))

    def find(self, ids):
        """The devices with these ids, in order of address."""
        return [device for device in self.devices()["devices"] if device["ids"] == ids]

    def one(self, ids):
        device, = self.find(ids)
        return device

    def close(self):
        self.process.kill()
        self.process.wait()


class Machine(Host):
    """One that lives in its initramfs, made by initramfs()."""

    def __init__(self, work, archive_bytes, devices, *, options=(), parameters="", tree=None, fds=()):
        """devices: QEMU's -device; options: more of its arguments; parameters: the kernel's; tree:
        where the kernel lies; fds: descriptors that the options name."""
        tree = tree or os.environ["PORTAL_KERNEL_TREE"]
        version, = os.listdir(os.path.join(tree, "usr/lib/modules"))
        initrd = os.path.join(work, "initrd")
        with open(initrd, "wb") as file:
            file.write(archive_bytes)
        super().__init__(work, [
            "-accel", "tcg", "-M", "q35,kernel-irqchip=split,i8042=off",
            "-cpu", "max", "-m", "768", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-device", "intel-iommu,intremap=on,caching-mode=on",
            "-kernel", os.path.join(tree, "usr/lib/modules", version, "vmlinuz"),
            "-initrd", initrd,
            # Emulated ticks come late on a busy machine, which the kernel takes for a broken timer.
            "-append", "console=ttyS0 console=tty0 quiet panic=-1 intel_iommu=on mitigations=off "
                       "no_timer_check " + parameters,
            *options, *(word for device in devices for word in ("-device", device)),
        ], fds)


def expect(condition, sentence):
    if not condition:
        raise Failure(sentence)


def run_tests(machine, tests):
    """Runs them in order, each leaving the machine as it found it; how many failed."""
    failed = 0
    for test in tests:
        began = time.monotonic()
        silent = False
        try:
            test(machine)
            result = "ok"
        except Failure as failure:
            failed += 1
            result = f"FAILED: {failure}"
            silent = isinstance(failure, Silence)
        name = test.__name__.replace("_", " ")
        print(f"{name}: {result} ({time.monotonic() - began:.1f} s)", flush=True)
        if silent:
            break
    return failed


def check_tree():
    if not os.path.isdir(os.environ.get("PORTAL_KERNEL_TREE", "")):
        raise SystemExit("PORTAL_KERNEL_TREE names no tree: run this through tools/test")

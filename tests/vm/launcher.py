"""portal-run and libvirt: a guest's life from its definition to its end.

launcher.py life|idle-stop|network
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree

import vmtest
from portalvm import desktop, guest, images, libvirt, wait
from portalvm.programs import Programs

CONFIG = """
vm demo {
	label "demo" "#c0392b"
	idle-stop %d
}
"""


class Launcher:
    """portal-run with a configuration, on a desktop."""

    def __init__(self, programs, config, env):
        self._command = [programs["portal-run"], "--config", config]
        self._env = env

    def start(self, *arguments):
        """Starts it: (process, file that takes standard error). No pipe: the keeper would hold it."""
        said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        process = subprocess.Popen(
            [*self._command, *arguments], env=self._env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=said, text=True,
        )
        return process, said

    def run(self, *arguments):
        """Runs it to its end: (status, standard output, standard error)."""
        process, said = self.start(*arguments)
        with said:
            out = process.communicate(timeout=wait.PATIENCE)[0]
            said.seek(0)
            return process.returncode, out, said.read()

    def check(self, status, part, *arguments):
        """It ends with this status after saying this; returns its standard output."""
        got, out, said = self.run(*arguments)
        vmtest.check(got == status and part in said,
                     f"portal-run {' '.join(arguments)} ends with {status} ({got}): {said.strip()}")
        return out

    def row(self):
        """--list's line about the guest, in words."""
        lines = self.check(0, "", "--list").splitlines()
        return next(line for line in lines if line.startswith("demo ")).split()


def await_keeper():
    """Waits until the guest's keeper has ended: it holds this lock for as long as it lives."""
    path = os.path.join(os.environ["XDG_RUNTIME_DIR"], "portal", "demo.state")
    signal.alarm(int(wait.PATIENCE))  # its default action ends the test
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
    signal.alarm(0)


def keepers():
    """Ids of the keepers of the guest."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if file.read().split(b"\0")[:3] == [b"portal-run", b"--keep", b"demo"]:
                        found.append(int(entry))
    return found


def check_redefinition(launcher):
    """What is the same is no change, and what is not is changed only when told so."""
    before = libvirt.virsh("dumpxml", "demo")
    domain = xml.etree.ElementTree.fromstring(before)
    launcher.check(0, "demo is defined like this already", "--define", "vm:demo", "--heap", "nvdimm")
    out = launcher.check(215, "nothing was changed",
                         "--define", "vm:demo", "--heap", "ivshmem", "--heap-size", "128M")
    vmtest.check('+    <shmem name="portal-demo">' in out, "the change is shown")
    vmtest.check(libvirt.virsh("dumpxml", "demo") == before, "the definition is what it was")
    # From now on it does not hear its power button.
    deaf = domain.find("./os/cmdline").text + " portal_deaf=1"
    launcher.check(0, "changed domain demo", "--define", "vm:demo", "--memory", "640M",
                   "--cmdline", deaf, "--replace")
    changed = libvirt.virsh("dumpxml", "demo")
    vmtest.check(f"memory='{640 << 10}'" in changed, "the guest's memory is changed")


def check_start(launcher):
    """Two at once start one domain and one bridge, and each has its own program's end."""
    vmtest.check(launcher.row()[1] == "off", "the guest is off")
    runs = [launcher.start("vm:demo", "--", "sh", "-c", f"exit {status}") for status in (3, 4)]
    ends = [process.wait(wait.PATIENCE) for process, _ in runs]
    vmtest.check(ends == [3, 4], f"both programs ran: {ends}")
    starts = libvirt.domain_log("demo").count("starting up")
    vmtest.check(starts == 1 and len(keepers()) == 1, f"{starts} start, keepers: {keepers()}")
    vmtest.check(launcher.row()[1:4] == ["running", "ready", "0"], "the guest is ready")
    launcher.check(127, "nothing-such: no such program in vm:demo", "vm:demo", "--", "nothing-such")
    launcher.check(137, "", "vm:demo", "--", "sh", "-c", "kill -9 $$")


def check_key(launcher):
    """A bridge with another key than the guest's gets nowhere, and says so."""
    path = os.path.expanduser("~/.local/share/portal/demo.key")
    with open(path, "rb") as file:
        key = file.read()
    vmtest.check(os.stat(path).st_mode & 0o777 == 0o600, "nobody else can read the key")
    with open(f"/proc/{libvirt.domain_pid('demo')}/cmdline", "rb") as file:
        vmtest.check(key.strip() not in file.read(), "the key is not on QEMU's command line")
    for keeper in keepers():
        os.kill(keeper, signal.SIGTERM)
    await_keeper()
    with open(path, "wb") as file:
        file.write(os.urandom(32))
    launcher.check(208, "do not have the same key", "vm:demo", "--", "true")
    with open(path, "wb") as file:
        file.write(key)
    launcher.check(0, "", "vm:demo", "--", "true")


def check_stop(launcher):
    """A guest that does not answer is waited for so long and no longer, and ended without asking."""
    libvirt.virsh("suspend", "demo")
    vmtest.check(launcher.row()[1] == "paused", "the guest is paused")
    launcher.check(205, "demo is paused and cannot be asked", "--stop", "vm:demo")
    libvirt.virsh("resume", "demo")
    launcher.check(216, "demo has not shut down in 1 seconds", "--timeout", "1", "--stop", "vm:demo")
    launcher.check(0, "", "--stop", "vm:demo", "--force")


def life(launcher):
    """From the definition to the end."""
    check_redefinition(launcher)
    check_start(launcher)
    check_key(launcher)
    check_stop(launcher)
    await_keeper()
    vmtest.check(launcher.row()[1:3] == ["off", "-"] and not keepers(), "nothing is left of it")


def idle_stop(launcher):
    """A guest without windows is shut down, and comes back when it is wanted."""
    launcher.check(0, "", "--detach", "vm:demo", "--", "true")
    vmtest.check(launcher.row()[1] == "running", "the guest runs after its program has ended")
    await_keeper()
    vmtest.check(launcher.row()[1] == "off", "it was shut down after a minute without windows")
    launcher.check(5, "", "vm:demo", "--", "sh", "-c", "exit 5")


def network(launcher):
    """With passt a guest's connection to its gateway is one to this machine's loopback."""
    launcher.check(0, "changed domain demo", "--define", "vm:demo", "--network", "passt", "--replace")

    def answer():
        with server.accept()[0] as connection:
            connection.sendall(b"23\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        gateway = r"$(busybox ip route | sed -n 's/^default via \([^ ]*\).*/\1/p')"
        ask = f'exit "$(busybox nc {gateway} {server.getsockname()[1]})"'
        launcher.check(23, "", "vm:demo", "--", "sh", "-c", ask)
    vmtest.check("passt" in libvirt.domain_log("demo"), "it went through passt")


def main():
    part = {"life": life, "idle-stop": idle_stop, "network": network}[sys.argv[1]]
    programs = Programs(vmtest.BUILD)

    def test(finish):
        pictures = images.Images(vmtest.BUILD)
        config = desktop.write_config(CONFIG % (part is idle_stop))
        daemon = libvirt.Libvirtd()
        finish.callback(daemon.stop)
        daemon.start()
        demo = guest.Guest(programs, pictures, config, "demo")
        demo.define("--heap", "nvdimm", "--control", "virtio-serial")
        finish.callback(libvirt.destroy, "demo")
        screen = desktop.Desktop(programs, config, "headless")
        finish.callback(screen.stop)
        part(Launcher(programs, config, screen.env))

    vmtest.run(test, "demo")


main()

"""A QEMU machine with an IOMMU that boots a whole Debian: its systemd, libvirt, polkit and AppArmor, as
they are installed, with Portal beside them as README.md says that it is installed.
"""

import base64
import fcntl
import io
import os
import shlex
import subprocess
import tarfile

from hostmachine import TOP, Machine, initramfs
from portalvm.wait import Failure

# What has the disk; everything else is the system's own to load.
MODULES = ["virtio_blk", "ext4"]

# Without the display manager, which a test starts when it wants it.
PARAMETERS = ("apparmor=1 security=apparmor console=ttyS0 systemd.show_status=1 "
              "systemd.condition_first_boot=0 systemd.unit=multi-user.target")

# The lines that come through a virtio port, each answered with its output and "@@ STATUS".
SHELL = b"""exec 3<>/dev/virtio-ports/shell
exec <&3 >&3 2>&1 3>&-
echo "@@ ready"
while read -r line; do
	eval "$line"
	echo "@@ $?"
done
"""
SHELL_UNIT = b"""[Unit]
Description=The shell of a test
BindsTo=dev-virtio\\x2dports-shell.device
After=dev-virtio\\x2dports-shell.device
[Service]
ExecStart=/bin/bash /usr/local/sbin/test-shell
Environment=LC_ALL=C.UTF-8 HOME=/root
WorkingDirectory=/root
"""


def check_tree():
    tree = os.environ.get("PORTAL_HOST_TREE", "")
    if not os.path.exists(os.path.join(tree, ".complete")):
        raise SystemExit(f"the Debian host {tree or 'PORTAL_HOST_TREE'} has not been made: "
                         "tools/test --all makes it, and runs this test")
    return tree


def make_image(tree):
    """The tree as a disk without partitions, in the cache beside it."""
    path = tree + ".img"
    with open(path + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            size = int(subprocess.run(["du", "-sk", "--apparent-size", tree], check=True,
                                      capture_output=True, text=True).stdout.split()[0])
            with open(path + ".new", "wb") as file:
                file.truncate((size * 5 // 4 + 512 * 1024) * 1024)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-d", tree, path + ".new"], check=True)
            os.rename(path + ".new", path)
    return path


def run_quietly(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{shlex.join(command)}:\n{done.stdout}{done.stderr}")


def install(build, directory):
    """As README.md has it, in a build of its own: programs know the prefix."""
    own = os.path.join(build, "installed")
    if not os.path.exists(os.path.join(own, "build.ninja")):
        run_quietly("meson", "setup", own, TOP, "--prefix=/usr", "--buildtype=release",
                    "-Dtests=disabled")
    run_quietly("meson", "compile", "-C", own)
    run_quietly("meson", "install", "-C", own, "--destdir", directory, "--no-rebuild", "--quiet")


def pack_install(directory, files):
    """What was installed there, and files as {path: bytes}, for the machine's disk."""
    def own_by_root(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in os.listdir(directory):
            archive.add(os.path.join(directory, name), name, filter=own_by_root)
        for path, content in files.items():
            entry = tarfile.TarInfo(path.strip("/"))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("etc/systemd/system/multi-user.target.wants/test-shell.service")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/systemd/system/test-shell.service"
        archive.addfile(link)
    return data.getvalue()


class System(Machine):
    """The booted machine, and root's shell in it."""

    def __init__(self, work, build, devices, files, options=()):
        """devices: QEMU's -device; files: what lies on the disk beside what is installed."""
        tree = check_tree()
        image = make_image(tree)
        directory = os.path.join(work, "install")
        install(build, directory)
        tar = pack_install(directory, {
            "/usr/local/sbin/test-shell": SHELL, "/etc/systemd/system/test-shell.service": SHELL_UNIT,
            **files})
        super().__init__(
            work, initramfs(tree, {}, MODULES, [], init="system-init", files={"/install.tar": tar}),
            ["virtio-blk-pci,drive=disk,bus=pcie.0,addr=0x11", *devices], tree=tree,
            options=["-m", "2048", "-smp", "2",
                     "-drive", f"file={image},if=none,id=disk,format=raw,snapshot=on", *options],
            parameters=PARAMETERS)

    def reboot(self):
        """Ends everything as a person would, and waits for the shell of the next boot."""
        self.monitor.execute("set-action", reboot="reset")
        self.run("systemctl --no-block reboot")
        while self.read_answer()[1] != "ready":
            pass

    def write(self, path, data):
        self.run(f"echo {base64.b64encode(data).decode()} | base64 -d >{shlex.quote(path)}")

    def virsh(self, *arguments, status=0):
        return self.run(shlex.join(["virsh", "--quiet", *arguments]), status)

    def call(self, method, parameters="{}", status=0):
        """One of org.portal.Host, as root."""
        return self.run(varlink(method, parameters), status)

    def as_user(self, command, status=0):
        """Runs it as a person who is not logged in."""
        return self.run(f"setpriv --reuid user --regid user --init-groups {command} </dev/null",
                        status)

    def as_seated(self, command, status=0):
        """Runs it as the person who sits before the machine's first console."""
        return self.run(seated(command), status)

    def mark(self):
        """Where the journal ends now, for hear() and said()."""
        return self.run("journalctl --lines=0 --show-cursor").split("cursor: ")[1].strip()

    def hear(self, words, mark):
        """Waits until the daemon says the words (a basic regular expression) after the mark."""
        self.run(f"grep -q -m 1 {shlex.quote(words)} < <(journalctl --follow --no-tail "
                 f"--after-cursor={shlex.quote(mark)} --unit=portal-hostd --output=cat 2>/dev/null)")

    def said(self, mark):
        """All of what the daemon said after the mark."""
        return self.run(f"journalctl --sync && journalctl --after-cursor={shlex.quote(mark)} "
                        "--unit=portal-hostd --output=cat")


def varlink(method, parameters="{}"):
    return (f"varlinkctl call --json=short --timeout=infinity /run/portal/hostd "
            f"org.portal.Host.{method} {shlex.quote(parameters)}")


def seated(command):
    return ("systemd-run --quiet --wait --pipe --collect --uid=user --property=PAMName=runuser-l "
            "--setenv=XDG_SEAT=seat0 --setenv=XDG_VTNR=1 --setenv=XDG_SESSION_TYPE=tty "
            f"--setenv=XDG_SESSION_CLASS=user {command} </dev/null")

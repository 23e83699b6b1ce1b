"""A libvirtd of our own, and one's dealings with it.

For root it runs as the system's instance but on empty directories, mounted over the machine's in this
mount namespace, so no domain and no setting of the machine is seen or touched. For an ordinary user it
is the one of his session, in his own directories.
"""

import os
import socket
import subprocess
import tempfile

from . import wait

IS_SYSTEM = os.geteuid() == 0
URI = "qemu:///system" if IS_SYSTEM else "qemu:///session"

# In a container-like root there is neither a cgroup to put guests in, nor a virtlogd to write their
# logs, and by default no user to become.
QEMU_CONF = """
user = "{user}"
group = "{user}"
namespaces = []
cgroup_controllers = []
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
"""

# Consoles are fifos here, which a virtlogd does not take.
SESSION_CONF = """
stdio_handler = "file"
"""

LIBVIRTD_CONF = """
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
"""


class Libvirtd:
    """The daemon, from start() to stop()."""

    def __init__(self):
        self._process = None
        self.log = None

    @staticmethod
    def _clear(user):
        for path in ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt",
                     "/run/libvirt"):
            os.makedirs(path, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "libvirt", path], check=True)
        with open("/etc/libvirt/qemu.conf", "w", encoding="ascii") as file:
            file.write(QEMU_CONF.format(user=user))
        with open("/etc/libvirt/libvirtd.conf", "w", encoding="ascii") as file:
            file.write(LIBVIRTD_CONF)

    @staticmethod
    def _add_hook(hook):
        os.makedirs("/etc/libvirt/hooks/qemu.d")
        with open("/etc/libvirt/hooks/qemu.d/portal", "w", encoding="utf-8") as file:
            file.write(hook)
        os.chmod("/etc/libvirt/hooks/qemu.d/portal", 0o755)

    def start(self, hook=None, user="root"):
        """Starts it and returns when it accepts connections. hook: a script for its QEMU domains;
        user: who QEMU runs as, where it is the system's, by name or as +NUMBER."""
        if IS_SYSTEM:
            self._clear(user)
        else:
            directory = os.path.expanduser("~/.config/libvirt")
            os.makedirs(directory, exist_ok=True)
            with open(os.path.join(directory, "qemu.conf"), "w", encoding="ascii") as file:
                file.write(SESSION_CONF)
        if hook is not None:
            self._add_hook(hook)
        self._run()

    def die(self):
        """Ends it at once, wherever it is; its machines run on."""
        self._process.kill()
        self._process.wait()

    def come_again(self):
        """Starts it anew where it was, and returns when it accepts connections."""
        self._run()

    def _run(self):
        with tempfile.TemporaryDirectory() as directory, socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM
        ) as notify:
            # libvirtd tells systemd when it is ready; here we are systemd.
            notify.bind(os.path.join(directory, "notify"))
            notify.settimeout(wait.PATIENCE)
            self._process, self.log = wait.start(
                ["libvirtd"], "libvirtd",
                env=dict(os.environ, NOTIFY_SOCKET=os.path.join(directory, "notify")),
            )
            try:
                while b"READY=1" not in notify.recv(4096).split(b"\n"):
                    pass
            except TimeoutError:
                raise wait.Failure(
                    "libvirtd did not start:\n" + self.log.text.decode(errors="replace")
                ) from None

    def stop(self):
        wait.stop(self._process)

    def signal(self, number):
        self._process.send_signal(number)


def virsh(*arguments):
    """Runs virsh and returns what it prints."""
    done = subprocess.run(
        ["virsh", "--quiet", "--connect", URI, *arguments],
        capture_output=True, text=True, check=False,
    )
    if done.returncode:
        raise wait.Failure(f"virsh {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def domain_pid(name):
    """The process id of a running domain's QEMU."""
    directory = ("/run/libvirt/qemu" if IS_SYSTEM
                 else os.path.join(os.environ["XDG_RUNTIME_DIR"], "libvirt/qemu/run"))
    with open(os.path.join(directory, f"{name}.pid"), encoding="ascii") as file:
        return int(file.read())


def domain_log(name):
    """What QEMU said, for messages of failure."""
    directory = ("/var/log/libvirt/qemu" if IS_SYSTEM
                 else os.path.expanduser("~/.cache/libvirt/qemu/log"))
    path = os.path.join(directory, f"{name}.log")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def destroy(name):
    """Ends a domain at once if it runs."""
    subprocess.run(
        ["virsh", "--quiet", "--connect", URI, "destroy", name],
        capture_output=True, check=False,
    )

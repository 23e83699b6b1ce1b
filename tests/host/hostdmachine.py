"""A machine of hostdev.py with portal-hostd in it as well, whose libvirtd asks it by the hook."""

import shlex

from hostdev import Host
from hostmachine import Failure

SOCKET = "/run/portal/hostd"
LOG = "/run/hostd.log"


class Hostd(Host):
    """programs: paths of portal-host, portal-hostd and portal-host-hook; more: as Host."""

    def __init__(self, work, programs, policy, /, **more):
        program, self._hostd, self._hook = programs
        self._policy = policy
        super().__init__(work, program, Hostd._prepare, **more)

    def _prepare(self):
        self.within("ln", "-sfn", "/proc/self/fd", "/dev/fd")
        self.within("mkdir", "-p", "/etc/libvirt/hooks/qemu.d", "/etc/portal")
        self.within("ln", "-s", self._hook, "/etc/libvirt/hooks/qemu.d/portal")
        self.write("/etc/portal/host.scfg", self._policy)
        # Drivers of what is plugged in are loaded by it.
        self.within("/usr/lib/systemd/systemd-udevd", "--daemon")
        self.within("sh", "-c", f"{self._hostd} >{LOG} 2>&1 &")

    def wait_for(self, words):
        """Follows the daemon's state, by its own word, until it says so."""
        self.within("bash", "-c", f"grep -m 1 -F {shlex.quote(words)} <({self._program} watch)")

    def mark(self):
        """How much the daemon has said so far, for hear()."""
        return int(self.within("sh", "-c", f"wc -l <{LOG}"))

    def hear(self, words, count=1, since=0):
        """Reads what the daemon writes, past a mark, until it has said so, so often; the lines."""
        return self.follow(LOG, words, count, since)

    def follow(self, path, words, count=1, since=0):
        """Reads a file that grows until so many lines have the words."""
        return self.within("bash", "-c", f"grep -a -m {count} {shlex.quote(words)} "
                           f"<(tail -n +{since + 1} -F {path} 2>/dev/null)")

    def log(self, since=0):
        return self.within("tail", "-n", f"+{since + 1}", LOG)

    def call(self, method, parameters="{}", status=0):
        """Calls the daemon, and waits for its answer."""
        return self.within("varlinkctl", "call", "--json=short", "--timeout=infinity", SOCKET,
                           f"org.portal.Host.{method}", parameters, status=status)

    def begin(self, method, parameters="{}"):
        """Calls the daemon; answer() waits for what it says."""
        self.within("sh", "-c", "rm -f /run/answer; (varlinkctl call --json=short "
                    f"--timeout=infinity {SOCKET} org.portal.Host.{method} "
                    f"{shlex.quote(parameters)} >/run/answering 2>&1; "
                    "echo $? >>/run/answering; mv /run/answering /run/answer) &")

    def answer(self):
        """What begin()'s call was answered; a refusal is a failure."""
        self.within("sh", "-c", "until [ -e /run/answer ]; do sleep 0.1; done")
        *said, status = self.within("cat", "/run/answer").split("\n")
        if status != "0":
            raise Failure("the daemon refused: " + "\n".join(said) + self.log())

    def define(self, xml, *devices):
        """Defines a domain, with devices of the host's."""
        self.write("/tmp/domain.xml", xml.encode())
        self.virsh("define", "/tmp/domain.xml")
        name = xml.split("<name>")[1].split("</name>")[0]
        for device in devices:
            self.host("domain", "edit", name, "--device", device, "--apply")

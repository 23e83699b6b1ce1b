"""Where a client runs: natively in the compositor, or as the application of a guest."""

import os
import signal
import sys

from . import programs
from .deadline import Timeout, until
from .process import children, descriptor_list, descriptors, is_listening, stands_still
from .session import wait_for_end


class Native:
    """A client connected straight to the compositor; with a label, through a security context of
    that instance, so that the compositor marks its windows as it marks a guest's."""

    def __init__(self, session, compositor, label=None):
        self.session = session
        self.compositor = compositor
        self.label = label

    def start(self, name, command, env=None):
        if self.label:
            command = [programs.TEST_CONTEXT, "org.portal.vm", self.label, *command]
        return self.session.start(name, command, {**self.compositor.env, **(env or {})})

    def stop(self):
        pass


class Agent:
    """A guest: an agent with a runtime directory of its own, connected straight to the compositor
    (`--wayland-display`)."""

    def __init__(self, session, compositor, name="guest"):
        self.session = session
        self.compositor = compositor
        self.name = name
        self.runtime = os.path.join(session.directory, f"runtime-{name}-{len(session.processes)}")
        os.mkdir(self.runtime, 0o700)
        self.start_agent()

    def agent_arguments(self):
        # The compositor's socket by its full path: the runtime directories differ.
        display = os.path.join(self.session.runtime, self.compositor.display)
        return ["--wayland-display", display, "--heap", "memfd:256M"]

    def start_agent(self):
        self.agent = self.launch(
            f"portal-agent-{self.name}",
            [programs.AGENT, "--name", self.name, *self.agent_arguments()],
            {"XDG_RUNTIME_DIR": self.runtime},
        )
        self.display = until("the agent's socket", self._find_socket)

    def _find_socket(self):
        """The name of the socket once it listens; what connects from then on waits until the
        controller has come."""
        assert self.agent.alive(), f"the agent did not start\n{self.agent.details()}"
        for name in sorted(os.listdir(self.runtime)):
            if name.startswith("wayland-") and is_listening(os.path.join(self.runtime, name)):
                return name
        return None

    def start(self, name, command, env=None):
        own = {"WAYLAND_DISPLAY": self.display, "XDG_RUNTIME_DIR": self.runtime}
        return self.launch(name, command, {**own, **(env or {})})

    def launch(self, name, command, env):
        """Starts a process of the guest."""
        return self.session.start(name, command, env)

    def hold(self, held):
        """Stops the agent, so that what comes meanwhile is found waiting when it goes on."""
        self.agent.popen.send_signal(signal.SIGSTOP if held else signal.SIGCONT)

    def exit_statuses(self, process):
        """With which a process of the guest may end when it is told to."""
        return (0,)

    def processes(self):
        return [self.agent]

    def descriptors(self):
        """Open descriptors of each of the guest's processes, their children included."""
        return {
            process.name: [descriptors(pid) for pid in (process.pid, *children(process.pid))]
            for process in self.processes()
        }

    def settled_descriptors(self):
        """The number of descriptors once an application has come and gone: what is set up at first
        use stands."""
        client = self.start("test-client", [programs.TEST_CLIENT, "scale"])
        while client.expect(r"(ready|end).*").group(1) != "end":
            client.send("next")
        assert client.wait_exit() == 0, client.details()
        counts = None

        def stable():
            nonlocal counts
            previous, counts = counts, self.descriptors()
            return previous == counts

        until("the descriptors to settle", stable, interval=0.1)
        return counts

    def await_descriptors(self, wanted):
        """Waits until as many descriptors are open as before: what an application used is freed
        soon after its end, and nothing tells when."""
        try:
            until("the descriptors to be freed", lambda: self.descriptors() == wanted)
        except Timeout as problem:
            raise AssertionError(
                f"leaked descriptors: {wanted} before, {self.descriptors()} after\n"
                f"{self.descriptor_lists()}"
            ) from problem

    def descriptor_lists(self):
        return "\n".join(
            f"{process.name} {pid}:\n{descriptor_list(pid)}"
            for process in self.processes()
            for pid in (process.pid, *children(process.pid))
        )

    def stop(self):
        for process in self.processes():
            status = process.stop()
            wanted = self.exit_statuses(process)
            assert status in wanted, f"{process.name} exited with {status}\n{process.details()}"


class Bridged(Agent):
    """A guest whose agent and bridge talk over a unix socket, with a heap in a memfd: what
    `portal-run local:` starts."""

    bridge_options = []
    bridge_descriptors = ()  # that are open when the bridge starts

    def __init__(self, session, compositor, name="guest"):
        self.socket = os.path.join(session.directory, f"channel-{name}")
        super().__init__(session, compositor, name)
        self.start_bridge()

    def agent_arguments(self):
        return ["--listen", f"unix:{self.socket}", "--heap", "memfd:256M"]

    def start_bridge(self):
        until("the agent to listen", lambda: is_listening(self.socket))
        arguments = ["--vm", self.name, "--transport", f"unix:{self.socket}", "--heap", "memfd:"]
        arguments += self.bridge_options
        self.bridge = self.session.start(
            f"portal-bridge-{self.name}",
            [programs.BRIDGE, *arguments],
            self.compositor.env,
            self.bridge_descriptors,
        )

    def control_socket(self):
        return os.path.join(self.session.runtime, "portal", f"bridge-{self.name}.varlink")

    def kill_bridge(self):
        """It goes without a word, as when the controller crashes."""
        # One that is still starting could fork behind the look at its children.
        self.bridge.popen.send_signal(signal.SIGSTOP)
        until("the bridge to stand still", lambda: stands_still(self.bridge.pid))
        confined = children(self.bridge.pid)
        for pid in confined:
            os.kill(pid, signal.SIGKILL)
        self.bridge.kill()
        # Whose descriptors, the control socket among them, are still open until then.
        for pid in confined:
            wait_for_end(pid)

    def exit_statuses(self, process):
        """A bridge that is told to end before it has met its agent may not hear it as a request."""
        if process is self.bridge and "is ready;" not in process.log():
            return (0, -signal.SIGTERM)
        return (0,)

    def processes(self):
        # In the order in which they are stopped.
        return [self.bridge, self.agent]



class Copied(Bridged):
    """The same with the pixels copied out of the heap, as where it is slow to read."""

    bridge_options = ["--copy"]


# Runs a command as another machine would: with a boot id and, in a time namespace, clocks of its own.
# From Linux 6.3 on such a namespace is entered by executing, before by forking only.
ELSEWHEN = """
import os, subprocess, sys
os.unshare(os.CLONE_NEWNS | os.CLONE_NEWTIME)
with open("/proc/self/timens_offsets", "w", encoding="ascii") as file:
    file.write("monotonic 123456 789")
subprocess.run(["mount", "--bind", sys.argv[1], "/proc/sys/kernel/random/boot_id"], check=True)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Elsewhen(Bridged):
    """The same on clocks that are not the controller's, as those of a virtual machine are not."""

    def launch(self, name, command, env):
        boot_id = os.path.join(self.session.directory, "boot-id")
        with open(boot_id, "w", encoding="ascii") as file:
            file.write("01234567-89ab-4def-8123-456789abcdef\n")
        process = super().launch(name, [sys.executable, "-c", ELSEWHEN, boot_id, *command], env)
        link = lambda pid: os.readlink(f"/proc/{pid}/ns/time")
        until(f"{name} to have other clocks", lambda: link(process.pid) != link("self"))
        return process


KINDS = {"agent": Agent, "bridge": Bridged, "copy": Copied, "elsewhen": Elsewhen}

"""Application VMs: defined and started by portal-run, as users do it."""

import os
import subprocess
import tempfile
import xml.etree.ElementTree

from . import libvirt, varlink, wait
from .console import Console


class Guest:
    """The VM `name` of a portal.scfg, booted from images."""

    def __init__(self, programs, images, config, name):
        self._programs = programs
        self._images = images
        self._config = config
        self.name = name
        self.console = None

    def define(self, *options, systemd=False):
        """Defines the domain; options are portal-run's. systemd: start with the agent's unit."""
        # Not in /tmp itself, where a test of another user may have left one of that name.
        path = os.path.join(tempfile.gettempdir(), f"{self.name}.console")
        self.console = Console(path, self.name)
        self._run(
            "--define", f"vm:{self.name}", "--image", os.path.realpath(self._images.root),
            "--image-format", "raw", "--read-only",
            "--kernel", os.path.realpath(self._images.kernel), "--initrd", self._images.initrd,
            "--cmdline", self._images.command_line(self.name, systemd=systemd),
            "--memory", "768M", "--cpus", "2", "--network", "none", "--sound", "off",
            "--console", self.console.path, *options,
        )

    def _run(self, *arguments):
        done = subprocess.run(
            [self._programs["portal-run"], "--config", self._config, *arguments],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise wait.Failure(f"portal-run: exit status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def accelerator(self):
        """"kvm" or "qemu" (emulation), as the definition has it."""
        domain = xml.etree.ElementTree.fromstring(libvirt.virsh("dumpxml", self.name))
        return domain.get("type")

    def run(self, desktop, command, copy_to=None):
        """Starts portal-run with a command on a desktop: (process, follower)."""
        return wait.start(
            [self._programs["portal-run"], "--config", self._config,
             "--timeout", str(round(wait.PATIENCE)), f"vm:{self.name}", "--", *command],
            "portal-run", copy_to, env=desktop.env,
        )

    def shut_down(self):
        """Asks the guest to end, as users do it, and waits until it has."""
        self._run("--timeout", str(round(wait.PATIENCE)), "--stop", f"vm:{self.name}")

    def state(self):
        """libvirt's word for what the domain does."""
        return libvirt.virsh("domstate", self.name).strip()

    def bridge_state(self):
        """org.portal.Bridge.GetState of this guest's bridge."""
        path = os.path.join(os.environ["XDG_RUNTIME_DIR"], "portal", f"bridge-{self.name}.varlink")
        return varlink.call(path, "org.portal.Bridge.GetState")


def check_shared(state):
    """Fails unless a bridge's state shows another machine and memory shared with it."""
    if not state.get("agentBootId"):
        raise wait.Failure(f"the bridge knows no agent: {state}")
    if state["agentBootId"] == state["bootId"]:
        raise wait.Failure("agent and controller run on the same kernel: there is no VM")
    if state["heap"].startswith("memfd:"):
        raise wait.Failure("the heap is not shared between VM and controller, but a memfd")

"""What a guest is started from: kernel, initramfs with the build's programs, root image."""

import os
import subprocess

from .wait import Failure

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))

# Nothing of this is about security: the guests are short-lived and the host's own.
COMMAND_LINE = [
    "console=ttyS0", "quiet", "panic=-1", "mitigations=off",
    "systemd.show_status=0", "systemd.condition_needs_update=0", "systemd.condition_first_boot=0",
    "systemd.mask=systemd-pstore.service", "systemd.mask=kmod-static-nodes.service",
    "systemd.mask=systemd-random-seed.service", "systemd.mask=systemd-journal-flush.service",
    "systemd.mask=dev-hugepages.mount", "systemd.mask=dev-mqueue.mount",
    "systemd.mask=sys-kernel-debug.mount", "systemd.mask=sys-kernel-tracing.mount",
    "systemd.mask=sys-fs-fuse-connections.mount", "systemd.mask=modprobe@.service",
]


class Images:
    """The images of a build directory, made anew where needed by tools/lib/guest-image.sh."""

    def __init__(self, build):
        for variable in ("PORTAL_KERNEL_TREE", "PORTAL_GUEST_TREE"):
            if not os.path.isdir(os.environ.get(variable, "")):
                raise Failure(f"{variable} names no tree: run this through tools/test or tools/demo")
        done = subprocess.run([os.path.join(TOP, "tools/lib/guest-image.sh"), build], check=False)
        if done.returncode:
            raise Failure("the guest's images could not be made")
        self.kernel = os.path.join(build, "guest", "kernel")
        self.initrd = os.path.join(build, "guest", "initrd")
        self.root = os.path.join(build, "guest", "root.img")

    def command_line(self, unit, hostname):
        """The kernel's command line: what systemd starts, and the guest's name."""
        return " ".join([*COMMAND_LINE, f"systemd.unit={unit}", f"systemd.hostname={hostname}"])

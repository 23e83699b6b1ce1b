"""What a guest is started from: kernel, initramfs with the build's programs, root image."""

import os
import subprocess

from .wait import Failure

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))

# The guests are short-lived and the host's own, so the processor's mitigations are of no use.
_COMMAND_LINE = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off"]

# Without what an image that is only read, and that has been made minutes ago, need not do.
_SYSTEMD = [
    "systemd.show_status=0", "systemd.condition_needs_update=0", "systemd.condition_first_boot=0",
    *(f"systemd.mask={unit}" for unit in (
        "systemd-pstore.service", "kmod-static-nodes.service", "systemd-random-seed.service",
        "systemd-journal-flush.service", "dev-hugepages.mount", "dev-mqueue.mount",
        "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount",
    )),
]


class Images:
    """The images of a build directory, made anew where needed by tools/lib/guest-image.sh; or, where
    PORTAL_IMAGES names a directory, what somebody has laid there for who may not write the build's.
    """

    def __init__(self, build):
        ready = os.environ.get("PORTAL_IMAGES")
        if ready is None:
            self._make(build)
        directory = ready or os.path.join(build, "guest")
        self.kernel = os.path.join(directory, "kernel")
        self.initrd = os.path.join(directory, "initrd")
        self.root = os.path.join(directory, "root.img")

    @staticmethod
    def _make(build):
        for variable in ("PORTAL_KERNEL_TREE", "PORTAL_GUEST_TREE"):
            if not os.path.isdir(os.environ.get(variable, "")):
                raise Failure(f"{variable} names no tree: use tools/test, tools/demo or tools/shell")
        done = subprocess.run([os.path.join(TOP, "tools/lib/guest-image.sh"), build], check=False)
        if done.returncode:
            raise Failure("the guest's images could not be made")

    def command_line(self, name, role="guest", systemd=False):
        """The kernel's command line of a guest or controller of that name, started by systemd with
        Portal's units, or by tools/guest/rootfs/usr/local/sbin/guest-boot."""
        if systemd:
            start = [*_SYSTEMD, f"systemd.unit=portal-{role}.target", f"systemd.hostname={name}"]
        else:
            start = ["portal_init=/usr/local/sbin/guest-boot", f"portal_role={role}",
                     f"portal_name={name}"]
        return " ".join([*_COMMAND_LINE, *start])

"""Does KVM run a guest here? Only running one tells.

/dev/kvm also exists on machines that are virtual themselves and whose KVM gives up on a stock
kernel's first instructions, so the probe boots the kernel the guests will have up to its first
process.
"""

import os
import socket
import subprocess

from . import wait
from .qmp import Qmp

# KVM either brings a kernel up in a second or two, or not at all.
_PATIENCE = 30


def _boots(kernel, initramfs):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        machine = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "kvm", "-machine", "q35", "-m", "256", "-nodefaults",
             "-no-user-config", "-display", "none", "-no-reboot",
             "-chardev", f"socket,id=qmp,fd={theirs.fileno()}",
             "-mon", "chardev=qmp,mode=control",
             "-kernel", kernel, "-initrd", initramfs, "-append", "quiet panic=-1 portal_init=none"],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )
        theirs.close()
        try:
            # The first process powers the machine off. A kernel that panics resets it, an
            # instruction that KVM cannot run stops it.
            event = Qmp(ours).wait_event({"SHUTDOWN", "STOP"}, _PATIENCE)
            return bool(event) and event.get("data", {}).get("reason") == "guest-shutdown"
        except (wait.Failure, OSError):
            return False
        finally:
            machine.kill()
            machine.wait()


def works(images):
    """True when KVM boots the guests' kernel. Asked once for each boot of this machine and kernel."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    kernel = os.path.realpath(images.kernel)
    memory = os.path.join(os.environ["PORTAL_CACHE"], "kvm")
    question = f"{boot} {kernel} "
    try:
        with open(memory, encoding="utf-8") as file:
            answer = file.read()
        if answer.startswith(question):
            return answer[len(question):] == "yes"
    except FileNotFoundError:
        pass
    answer = _boots(images.kernel, images.initrd)
    with open(memory + ".new", "w", encoding="utf-8") as file:
        file.write(question + ("yes" if answer else "no"))
    os.rename(memory + ".new", memory)
    return answer

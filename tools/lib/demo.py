"""tools/demo inside the root: builds, starts a guest and a controller, and shows its window.

demo.py [--layout host|siblings] [--screenshot FILE] -- COMMAND ARG...
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time

from portalvm import desktop, guest, images, libvirt, siblings, wait
from portalvm.programs import Programs

TOP = images.TOP
_start = time.monotonic()

CONFIG = """
vm demo {
	uri qemu:///system
	label "demo" "#c0392b"
	heap-size 128M
	command foot
}
"""


def progress(text):
    """One line for each step that takes long, with the seconds since the start."""
    passed = time.monotonic() - _start
    print(f"\033[1m==> [{passed:5.1f} s] {text}\033[0m", file=sys.stderr, flush=True)


def build(directory):
    """Configures once, and compiles what has changed."""
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        progress("configuring")
        subprocess.run(["meson", "setup", directory, TOP], check=True, stdout=subprocess.DEVNULL)
    progress("building")
    # A terminal shows the progress on one line.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    done = subprocess.run(["ninja", "-C", directory, *quiet], check=False)
    if done.returncode:
        raise wait.Failure("the build failed")


def host_layout(build_directory, arguments, finish):
    """The controller is this machine: portal, and a guest under libvirt."""
    programs = Programs(build_directory)
    pictures = images.Images(build_directory)
    config = desktop.write_config(CONFIG)

    progress("starting libvirt")
    daemon = libvirt.Libvirtd()
    finish.callback(daemon.stop)
    daemon.start()

    demo = guest.Guest(programs, pictures, config, "demo")
    demo.define("--heap", "nvdimm", "--control", "virtio-serial")
    finish.callback(libvirt.destroy, "demo")
    if demo.accelerator() == "kvm":
        progress("defined the guest; KVM runs it")
    else:
        progress("defined the guest; KVM runs no guests here, so its processor is emulated (TCG)")

    kind = desktop.backend()
    log = None if kind == "headless" else sys.stderr.buffer
    progress(f"starting portal ({kind})")
    screen = desktop.Desktop(programs, config, kind, log)
    finish.callback(screen.stop)

    progress(f"portal-run vm:demo -- {' '.join(arguments.command)}")
    process, said = demo.run(screen, arguments.command, sys.stderr.buffer)
    finish.callback(wait.stop, process)
    window = screen.wait_window(lambda window: window["vm"] == "demo", (process, said))
    state = demo.bridge_state()
    guest.check_shared(state)
    progress(
        f"the window \"{window['title']}\" is there; guest and controller are two machines, "
        f"boot ids {state['agentBootId'][:8]}… and {state['bootId'][:8]}…, which share {state['heap']}"
    )
    if not arguments.screenshot:
        return process.wait()
    screen.wait_content(window)
    screen.save_picture(arguments.screenshot)
    progress("took the picture")
    return 0


def siblings_layout(build_directory, arguments, finish):
    """The controller is a VM as well: its screen and its keyboard are the hypervisor's."""
    pair = siblings.Siblings(Programs(build_directory), images.Images(build_directory), progress)
    finish.callback(pair.stop)
    pair.start(arguments.command)
    progress(f"two machines share a heap and a vsock: {pair.report}")
    if not arguments.screenshot:
        progress(f"the controller's screen: vncviewer {pair.vnc}")
        return pair.wait_exit()
    pair.wait_content()
    pair.save_picture(arguments.screenshot)
    progress("took the picture")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--layout", choices=["host", "siblings"], default="host")
    parser.add_argument("--screenshot")
    parser.add_argument("command", nargs="*")
    arguments = parser.parse_args()
    arguments.command = arguments.command or ["foot"]
    layout = host_layout if arguments.layout == "host" else siblings_layout
    directory = os.environ["PORTAL_BUILD"]
    with contextlib.ExitStack() as finish:
        try:
            build(directory)
            return layout(directory, arguments, finish)
        except wait.Failure as failure:
            print(f"demo: {failure}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130


sys.exit(main())

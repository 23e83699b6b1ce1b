"""Layout host: a libvirt guest's terminal on this machine's portal, with keys going back.

host.py HEAP CONTROL [systemd] [quser]: nvdimm or ivshmem; virtio-serial or vhost-user-vsock; the
agent as a unit of systemd, or by itself; QEMU as a user of its own, as distributions have it.
"""

import contextlib
import os
import sys
import tempfile

import vmtest
from portalvm import desktop, guest, images, libvirt, wait
from portalvm.programs import Programs

QEMU = 64055  # Debian's libvirt-qemu
# Where portal-run --define puts it.
HEAP = "/dev/shm/portal-demo" if os.geteuid() == 0 else f"/dev/shm/portal-{os.geteuid()}-demo"

CONFIG = f"""
vm demo {{
	uri {libvirt.URI}
	label "demo" "#c0392b"
	heap-size 64M
	command foot
	%s
}}
"""


def remove_heap():
    """Another user's would be refused where the next test's QEMU is root's, as a planted one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(HEAP)


def lay_out():
    """What a QEMU of another user has to reach, where he can: images, and a line for the key. Mounts are
    this test's own, as long as it runs in tools/shell or tools/test."""
    directory = tempfile.mkdtemp(dir="/tmp")
    os.chmod(directory, 0o755)
    vmtest.lay_out_images(os.path.join(directory, "images"))
    os.environ["PORTAL_IMAGES"] = os.path.join(directory, "images")
    return images.Images(vmtest.BUILD), f"key {directory}/demo.key"


def check_owner(path, user):
    """QEMU runs as this user, whose the heap's file is, and nobody else may open it."""
    status = os.stat(path)
    vmtest.check(os.stat(f"/proc/{libvirt.domain_pid('demo')}").st_uid == user, f"QEMU runs as {user}")
    vmtest.check((status.st_uid, status.st_mode & 0o7777) == (user, 0o600),
                 f"the heap is user {status.st_uid}'s, mode {status.st_mode & 0o7777:o}")


def check_heap(demo, state, heap, control):
    """The memory is one file of the host, mapped by the hypervisor, by the bridge, and by the
    compositor, which shows it where it lies; and by no one else."""
    guest.check_shared(state)
    vmtest.check(state["agentBootId"] != state["bootId"], "agent and controller are two machines")
    kind, path = state["heap"].split(":", 1)
    vmtest.check(kind == "file", f"the bridge maps a file of the host: {state['heap']}")
    definition = libvirt.virsh("dumpxml", demo.name)
    device = "<memory model='nvdimm'" if heap == "nvdimm" else "<shmem name="
    vmtest.check(device in definition, f"the guest has it as {heap}")
    names = sorted(vmtest.name_of(pid) for pid in vmtest.mappers(path))
    # Into a bridge not even its own user can look.
    bridge = ["portal-bridge"] if libvirt.IS_SYSTEM else []
    wanted = ["portal", *bridge, *vmtest.hypervisor(control)]
    vmtest.check(names == wanted, f"these map it: {names}")


def check_journal(demo, screen):
    """What the agent says is in the guest's journal, in the VM's name."""
    begin = len(demo.console.said.text)
    screen.type(f"{vmtest.journal('portal-agent')} >/dev/ttyS0; echo told-$((6*7)) >/dev/ttyS0\n")
    end = demo.console.said.for_text(b"told-42", begin)
    vmtest.check_log(vmtest.told(demo.console.said.text[begin:end]), "portal-agent",
                     f"portal-agent[{demo.name}]: ")


def main():
    heap, control = sys.argv[1:3]
    systemd = "systemd" in sys.argv[3:]
    user = QEMU if "quser" in sys.argv[3:] else os.geteuid()
    programs = Programs(vmtest.BUILD)

    def test(finish):
        pictures, key = lay_out() if user != os.geteuid() else (images.Images(vmtest.BUILD), "")
        config = desktop.write_config(CONFIG % key)
        finish.callback(remove_heap)
        daemon = libvirt.Libvirtd()
        finish.callback(daemon.stop)
        daemon.start(user=f"+{user}")

        demo = guest.Guest(programs, pictures, config, "demo")
        options = ["--cid", "4"] if control == "vhost-user-vsock" else []
        demo.define("--heap", heap, "--control", control, *options, systemd=systemd)
        finish.callback(libvirt.destroy, "demo")
        vmtest.progress(f"the guest's processor: {demo.accelerator()}")

        screen = desktop.Desktop(programs, config, "headless")
        finish.callback(screen.stop)
        process, said = demo.run(screen, ["foot"])
        finish.callback(wait.stop, process)
        window = screen.wait_window(lambda window: window["vm"] == "demo", (process, said))
        vmtest.check(
            (window["kind"], window["label"], window["color"]) == ("vm", "demo", "#c0392b"),
            "the window carries its VM's label and colour",
        )
        state = demo.bridge_state()
        transport = "virtio-serial:" if control == "virtio-serial" else "vsock-unix:"
        vmtest.check(state["transport"].startswith(transport), f"the channel is {transport}")
        check_heap(demo, state, heap, control)
        check_owner(state["heap"].split(":", 1)[1], user)

        screen.wait_content(window)
        vmtest.check(not vmtest.shows_bar(screen.picture(), window), "nothing is typed yet")
        screen.type(vmtest.LINE)
        demo.console.said.for_text(vmtest.SAID)
        vmtest.check(True, "the guest's shell ran what was typed on the controller")
        screen.wait_picture(lambda picture: vmtest.shows_bar(picture, window))
        vmtest.check(True, "what it printed is on the controller's output")

        if systemd:
            check_journal(demo, screen)
        screen.type("exit 7\n")
        vmtest.check(process.wait(wait.PATIENCE) == 7, "portal-run ends with the program's status")
        demo.shut_down()
        vmtest.check(demo.state() == "shut off", "portal-run --stop ends the guest")

    vmtest.run(test, "demo")


main()

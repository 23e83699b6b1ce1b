"""Layout siblings: a guest's terminal on the screen of a controller VM, with keys going back.

siblings.py HEAP CHANNEL: nvdimm or ivshmem; vsock or virtio-serial.
"""

import sys

import vmtest
from portalvm import images, libvirt, siblings
from portalvm.programs import Programs


def main():
    heap, channel = sys.argv[1:]

    def test(finish):
        pair = siblings.Siblings(
            Programs(vmtest.BUILD), images.Images(vmtest.BUILD), vmtest.progress, heap, channel
        )
        finish.callback(pair.stop)
        pair.start(["foot"])
        window = pair.window()
        vmtest.check(
            (window["kind"], window["label"], window["color"]) == ("vm", "demo", "#c0392b"),
            "the window carries its VM's label and colour",
        )
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            machines = {file.read().strip(), pair.state["bootId"], pair.state["agentBootId"]}
        vmtest.check(len(machines) == 3, "host, controller and guest are three machines")
        kind = "dax:" if heap == "nvdimm" else "ivshmem:"
        vmtest.check(pair.state["heap"].startswith(kind), f"the controller's heap is {kind}")

        mappers = vmtest.mappers(pair.heap_path())
        machines = {libvirt.domain_pid("controller"), libvirt.domain_pid("demo")}
        names = sorted(vmtest.name_of(pid) for pid in mappers)
        vmtest.check(machines <= mappers, "the two QEMU processes map the heap")
        vmtest.check(names == vmtest.hypervisor(channel, 2), f"on the host no other does: {names}")

        pair.wait_content()
        vmtest.check(not vmtest.shows_bar(pair.picture(), window), "nothing is typed yet")
        pair.type(vmtest.LINE)
        pair.guest.console.said.for_text(vmtest.SAID)
        vmtest.check(True, "the guest's shell ran what was typed on the controller VM's keyboard")
        pair.wait_picture(lambda picture: vmtest.shows_bar(picture, window))
        vmtest.check(True, "what it printed is on the controller VM's screen")
        pair.type("exit 7\n")
        vmtest.check(pair.wait_exit() == 7, "portal-run ends with the program's status")

    vmtest.run(test, "controller", "demo")


main()

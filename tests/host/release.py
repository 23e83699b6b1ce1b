"""portal-host release-gpu on a real kernel: every rung of the ladder, consoles, and a short sleep.

release.py PORTAL-HOST VFIO-USE

One boot; every function below is one test on it, in order, and leaves the machine as it found it.
"""

import os
import shlex
import shutil
import sys
import tempfile

from hostmachine import Machine, check_tree, expect, initramfs, run_tests

MODULES = ["e1000e", "xhci-pci", "usbhid", "hid-generic", "evdev", "vfio_iommu_type1"]
LATER = ["vfio-pci", "virtio-gpu", "bochs"]

DEVICES = [
    # After a reset of the bus the kernel waits for the link of ports that are faster than this to be up
    # again, which QEMU's never say.
    "pcie-root-port,id=port1,bus=pcie.0,addr=0x4,chassis=1,slot=1,x-speed=5",
    "pcie-root-port,id=port2,bus=pcie.0,addr=0x5,chassis=2,slot=2,x-speed=5",
    # The boot VGA, with the framebuffer that the firmware set up.
    "VGA,bus=pcie.0,addr=0x2",
    # A card of two functions.
    "virtio-gpu-pci,bus=port1,addr=0x0,multifunction=on",
    "edu,bus=port1,addr=0x0.1",
    "e1000e,bus=port2",
    "qemu-xhci,id=usb,bus=pcie.0,addr=0xb",
    "usb-kbd,bus=usb.0",
]

VGA, GPU, EDU, E1000E = "1234:1111", "1af4:1050", "1234:11e8", "8086:10d3"


def holders(device):
    return sorted(holder["kind"] for holder in device["holders"])


def reset_methods(machine, address):
    return machine.run(f"cat /sys/bus/pci/devices/{address}/reset_method")


def consoles(machine):
    """What the text consoles are on, as {name: bound}."""
    lines = machine.run("for c in /sys/class/vtconsole/*; do cat $c/bind $c/name; done").split("\n")
    return {name[4:]: bound == "1" for bound, name in zip(lines[::2], lines[1::2])}


MEND_PROBE = "mv /dev/vfio/away /dev/vfio/vfio"


def break_probe(machine):
    """From here on VFIO can open nothing, so that every rung fails; mend_probe() ends it."""
    machine.run("mv /dev/vfio/vfio /dev/vfio/away")


def mend_probe(machine):
    machine.run(MEND_PROBE)


def break_probe_until_forgotten(machine, address):
    """The same until the kernel has forgotten the card. It may be back before the shell looks again: its
    link is another one then."""
    link = f"/sys/bus/pci/devices/{address}"
    break_probe(machine)
    machine.run(f"number=$(stat -c %i {link}); "
                f"(while [ \"$(stat -c %i {link} 2>/dev/null)\" = $number ]; do usleep 1000; done; "
                f"{MEND_PROBE}) & echo $! >/tmp/pid")


def the_framebuffer_of_the_firmware_goes_with_the_console_on_it(machine):
    vga = machine.one(VGA)
    address = vga["address"]
    expect(vga["driver"] is None and vga["bootVga"], f"not the boot VGA without a driver: {vga}")
    expect(holders(vga) == ["console", "framebuffer"], f"holders: {vga['holders']}")
    said = machine.host("release-gpu", address, status=3)
    expect("survival guard (console)" in said, said)
    # Undone before vfio-pci has the card: framebuffer and console are there again.
    machine.run("mv /sbin/modprobe /sbin/away")
    said = machine.host("release-gpu", address, "--unguard", address, status=1)
    machine.run("mv /sbin/away /sbin/modprobe")
    expect("unbind the firmware's vesa-framebuffer.0" in said, said)
    expect("could not load the driver vfio-pci" in said and "everything is as it was" in said, said)
    expect(machine.one(VGA)["holders"] == vga["holders"], f"holders: {machine.one(VGA)['holders']}")
    expect(consoles(machine)["frame buffer device"], "no console came back")
    # Whoever draws on it is a holder like any other.
    machine.run("sleep 1000 <>/dev/fb0 & echo $! >/tmp/pid")
    said = machine.host("release-gpu", address, "--unguard", address, status=3)
    expect("sleep (pid" in said and "has /dev/fb0 open" in said, said)
    machine.run("kill $(cat /tmp/pid); wait", status=None)
    said = machine.host("release-gpu", address, "--unguard", address)
    expect("does not come back before the machine is booted again" in said, said)
    taken = machine.one(VGA)
    expect(taken["driver"] == "vfio-pci" and not taken["holders"], f"not taken: {taken}")
    expect(not consoles(machine).get("frame buffer device"), "the console is still there")
    machine.host("return", address)
    back = machine.one(VGA)
    expect(back["driver"] is None and back["driverOverride"] is None, f"not back: {back}")
    # What only a driver of its own can show on it from then on.
    machine.run("modprobe bochs; until [ -e /dev/dri/card0 ]; do usleep 10000; done")
    expect(consoles(machine)["frame buffer device"], "no console came back")


def a_card_with_a_driver_changes_hands_with_its_console(machine):
    vga = machine.one(VGA)
    expect(holders(vga) == ["console", "framebuffer"], f"holders: {vga['holders']}")
    for _ in range(2):
        said = machine.host("release-gpu", vga["address"], "--unguard", vga["address"])
        expect("take the text consoles off the frame buffer device" in said, said)
        expect(not consoles(machine).get("frame buffer device"), "the console is still there")
        machine.host("return", vga["address"])
        expect(holders(machine.one(VGA)) == holders(vga), "its console did not come back")
        expect(consoles(machine)["frame buffer device"], "no console came back")


def a_console_on_virtio_gpu_moves_with_its_driver(machine):
    vga = machine.one(VGA)
    machine.run("modprobe virtio-gpu; until [ -e /dev/dri/card1 ]; do usleep 10000; done")
    gpu = machine.one(GPU)
    expect("framebuffer" in holders(gpu), f"holders: {gpu['holders']}")
    # Two framebuffers: the console stays on the other one, and nobody touches it.
    said = machine.host("release-gpu", gpu["address"])
    expect("take the text consoles off" not in said, said)
    expect(consoles(machine)["frame buffer device"], "the console of the other card went too")
    both = [machine.one(GPU), machine.one(EDU)]
    expect(all(device["driver"] == "vfio-pci" for device in both), f"not taken: {both}")
    machine.host("return", gpu["address"])
    expect(holders(machine.one(GPU)) == holders(gpu), "its framebuffer did not come back")
    # The only framebuffer: the console goes with it, and comes back.
    machine.host("release-gpu", vga["address"], "--unguard", vga["address"])
    said = machine.host("release-gpu", gpu["address"])
    expect("take the text consoles off the frame buffer device" in said, said)
    expect(not consoles(machine).get("frame buffer device"), "the console is still there")
    machine.host("return", "--all")
    expect(holders(machine.one(GPU)) == holders(gpu), "its framebuffer did not come back")
    expect(holders(machine.one(VGA)) == holders(vga), "nor that of the other card")
    expect(consoles(machine)["frame buffer device"], "no console came back")


def a_card_of_two_functions_is_reset_with_its_bus_without_any_right_over_the_bridge(machine):
    gpu, edu = machine.one(GPU), machine.one(EDU)
    # The kernel lists the method for a function that it finds before the other, and then refuses it.
    expect("bus" in reset_methods(machine, gpu["address"]).split(), "no method \"bus\"")
    # The second function cannot be reset alone.
    machine.run(f"test ! -e /sys/bus/pci/devices/{edu['address']}/reset_method")
    said = machine.run(shlex.join([
        "set-privileges", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin",
        "portal-host", "release-gpu", gpu["address"], "--reset", "bus"]))
    expect(f"could not reset {gpu['address']} by bus" in said, said)
    expect(f"reset the bus of {gpu['address']} through VFIO" in said, said)
    for words in ("could not reset the bus", "the bus below", "forget"):
        expect(words not in said, f"a further rung was climbed: {said}")
    both = [machine.one(GPU), machine.one(EDU)]
    expect(all(device["driver"] == "vfio-pci" for device in both), f"not taken: {both}")
    expect(machine.run(f"vfio-use read {gpu['address']}") == GPU, "VFIO reads other ids")
    machine.run(f"vfio-use dma {edu['address']}")
    machine.host("return", gpu["address"])
    expect(machine.one(GPU)["driver"] == gpu["driver"], "not back")


def the_bus_of_a_card_is_reset_through_its_bridge(machine):
    nic = machine.one(E1000E)
    bridge = machine.run(f"cd -P /sys/bus/pci/devices/{nic['address']}/.. && pwd -P; cd /")
    for right, status in (("+sys_admin", 0), ("-sys_admin", 1)):
        machine.run(shlex.join(["set-privileges", f"--bounding-set={right}", "sh", "-c",
                                f"echo 1 >{bridge}/reset_subordinate"]), status)
    machine.host("take", nic["address"])
    expect(machine.run(f"vfio-use read {nic['address']}") == E1000E, "VFIO reads other ids")
    machine.host("return", nic["address"])
    expect(machine.one(E1000E)["driver"] == "e1000e", "not back")


def who_holds_the_card_is_named_and_stopped_only_on_demand(machine):
    address = machine.one(GPU)["address"]
    node = "/dev/dri/" + machine.run(
        f"ls /sys/bus/pci/devices/{address}/drm | grep '^card[0-9]*$'")
    machine.run(f"sleep 1000 <>{node} & echo $! >/tmp/pid")
    said = machine.host("release-gpu", address, status=3)
    expect("sleep (pid" in said and "nothing was changed" in said, said)
    machine.run("kill -0 $(cat /tmp/pid)")
    # One that does not listen is ended by force only when that is said.
    machine.run(f"(trap '' TERM; exec sleep 1000 <>{node}) & echo $! >/tmp/deaf; "
                "until [ $(cat /proc/$(cat /tmp/deaf)/comm) = sleep ]; do usleep 10000; done")
    said = machine.host("release-gpu", address, "--stop-holders", status=1)
    expect("to end within 10 s" in said and "everything is as it was" in said, said)
    machine.run("kill -0 $(cat /tmp/deaf)")
    expect(machine.one(GPU)["driver"] == "virtio-pci", "the driver is not as it was")
    said = machine.host("release-gpu", address, "--stop-holders", "--kill")
    expect("end it by force" in said, said)
    machine.run("kill -0 $(cat /tmp/deaf)", status=1)
    machine.run("wait", status=None)
    machine.host("return", address)


def each_reset_method_is_tried_and_restored(machine):
    gpu, edu, nic = machine.one(GPU), machine.one(EDU), machine.one(E1000E)
    before = reset_methods(machine, gpu["address"]).split()
    expect(before[:2] == ["flr", "pm"], f"methods: {before}")
    for method in ("flr", "pm"):
        said = machine.host("release-gpu", gpu["address"], "--reset", method)
        expect(f"reset {gpu['address']} by {method}" in said, said)
        expect(reset_methods(machine, gpu["address"]) == method, "VFIO would use another method")
        expect("forget" not in said, f"a further rung was climbed: {said}")
        expect(machine.one(EDU)["driver"] == "vfio-pci", "the second function stayed")
        machine.run(f"vfio-use dma {edu['address']}")
        machine.host("return", gpu["address"])
        # The kernel listed a reset of the whole bus before it knew of the second function, and
        # does not take it back: what it offers now is as it was for all one can have.
        now = reset_methods(machine, gpu["address"]).split()
        expect(now == [name for name in before if name != "bus"], f"methods afterwards: {now}")
    for method in reset_methods(machine, nic["address"]).split():
        machine.run(f"echo {method} >/sys/bus/pci/devices/{nic['address']}/reset_method && "
                    f"echo 1 >/sys/bus/pci/devices/{nic['address']}/reset")
        machine.host("take", nic["address"])
        expect(machine.run(f"vfio-use read {nic['address']}") == E1000E, "VFIO reads other ids")
        machine.host("return", nic["address"])
        expect(machine.one(E1000E)["driver"] == "e1000e", "not back")
    machine.run(f"echo default >/sys/bus/pci/devices/{nic['address']}/reset_method")


def every_rung_fails_and_everything_is_as_it_was(machine):
    gpu, edu = machine.one(GPU), machine.one(EDU)
    before = machine.devices()
    break_probe(machine)
    said = machine.host("release-gpu", gpu["address"], status=1)
    mend_probe(machine)
    for words in ("by flr", "by pm", "through VFIO", "the bus below", "let the kernel forget",
                  "and that VFIO can open it", "everything is as it was"):
        expect(words in said, f"\"{words}\" is missing:\n{said}")
    # The group that a device is in after a rescan is the kernel's choice.
    for device in before["devices"]:
        now = next(other for other in machine.devices()["devices"]
                   if other["address"] == device["address"])
        for key in ("ids", "driver", "driverOverride"):
            expect(now[key] == device[key], f"{key} was {device[key]}: {now}")
        expect(holders(now) == holders(device), f"holders: {now['holders']}")
    expect(machine.run("cat /sys/bus/pci/drivers_autoprobe") == "1", "autoprobe is off")
    expect(machine.one(EDU)["driver"] == edu["driver"], "the second function has a driver")


def a_card_that_vfio_has_already_is_removed_and_found_again(machine):
    address = machine.one(GPU)["address"]
    machine.host("release-gpu", address)
    # Every reset fails, since nothing can be opened; after the removal it can.
    break_probe_until_forgotten(machine, address)
    said = machine.host("release-gpu", address)
    machine.run("wait", status=None)
    expect("let the kernel forget" in said and "is the same card" in said, said)
    taken = machine.one(GPU)
    expect(taken["driver"] == taken["driverOverride"] == "vfio-pci", f"not taken: {taken}")
    expect(machine.run("cat /sys/bus/pci/drivers_autoprobe") == "1", "autoprobe is off")
    expect(machine.run(f"vfio-use read {address}") == GPU, "VFIO reads other ids")
    machine.host("return", address)
    expect(machine.one(GPU)["driver"] == "virtio-pci", "not back")


def a_run_killed_while_the_card_is_removed_is_undone(machine):
    gpu = machine.one(GPU)
    address = gpu["address"]
    # It may be back before the shell looks again: then everything is as it was, and it is tried anew.
    for _ in range(20):
        break_probe(machine)
        machine.run(
            "rm -f /tmp/pid /tmp/status; "
            f"{{ portal-host release-gpu {address} >/tmp/out 2>&1 & echo $! >/tmp/pid; "
            "wait $!; echo $? >/tmp/status; } & "
            f"until [ ! -e /sys/bus/pci/devices/{address} ] || [ -e /tmp/status ]; do :; done; "
            "kill -9 $(cat /tmp/pid); wait", status=None)
        mend_probe(machine)
        status = machine.run("cat /tmp/status")
        if status == "137":
            break
    expect(status == "137", f"never killed while the card was away, but ended with {status}")
    said = machine.host("release-gpu", address, status=None)
    expect("unfinished" in said and "recover first" in said
           or "there is no PCI function" in said, said)
    machine.host("recover")
    back = machine.one(GPU)
    expect(back["driver"] == gpu["driver"] and back["driverOverride"] is None, f"not back: {back}")
    expect(holders(back) == holders(gpu), f"holders: {back['holders']}")
    expect(machine.run("cat /sys/bus/pci/drivers_autoprobe") == "1", "autoprobe is off")


def the_last_rung_is_a_short_sleep(machine):
    address = machine.one(GPU)["address"]
    said = machine.host("release-gpu", address, "--dry-run", "--no-suspend")
    expect("suspend" not in said, said)
    # A recording tells the same.
    machine.host("record", "/tmp/recorded")
    said = machine.host("--machine", "/tmp/recorded", "release-gpu", address, "--dry-run", "--suspend")
    expect("suspend the machine to memory for 15 s" in said, said)
    # Somebody else's alarm is not taken from him.
    machine.run("echo +3600 >/sys/class/rtc/rtc0/wakealarm")
    said = machine.host("release-gpu", address, "--dry-run", "--suspend")
    expect("will not be suspended" in said and "set for something else" in said, said)
    machine.run("echo 0 >/sys/class/rtc/rtc0/wakealarm")
    # A VM with a device would lose it.
    nic = machine.one(E1000E)["address"]
    machine.host("take", nic)
    machine.run("mkfifo /tmp/until /tmp/told")
    machine.run(f"vfio-use hold {nic} </tmp/until >/tmp/told & exec 7>/tmp/until; head -n1 /tmp/told")
    said = machine.host("release-gpu", address, "--dry-run", "--suspend")
    expect("which would lose its state" in said, said)
    machine.run("exec 7>&-; wait; rm /tmp/until /tmp/told", status=None)
    machine.host("return", nic)
    # Nothing helps until the machine has slept.
    machine.run("mv /dev/vfio/vfio /dev/vfio/away; echo s2idle >/sys/power/mem_sleep; "
                "S=$(cat /sys/power/suspend_stats/success); "
                "(until [ $(cat /sys/power/suspend_stats/success) != $S ]; do usleep 1000; done; "
                "mv /dev/vfio/away /dev/vfio/vfio) &")
    machine.send(f"portal-host release-gpu {address} --suspend")
    expect(machine.monitor.wait_event({"SUSPEND"}), "the machine did not sleep")
    expect(machine.monitor.wait_event({"WAKEUP"}), "the machine did not wake")
    said = machine.result("release-gpu --suspend")
    machine.run("wait", status=None)
    expect("suspend the machine to memory for 15 s" in said, said)
    taken = machine.one(GPU)
    expect(taken["driver"] == taken["driverOverride"] == "vfio-pci", f"not taken: {taken}")
    expect("[s2idle]" in machine.run("cat /sys/power/mem_sleep"), "suspending means another thing")
    expect(machine.run("cat /sys/class/rtc/rtc0/wakealarm") == "", "the alarm is still set")
    expect(machine.run(f"vfio-use read {address}") == GPU, "VFIO reads other ids")
    machine.host("return", address)
    back = machine.one(GPU)
    expect(back["driver"] == "virtio-pci" and "framebuffer" in holders(back), f"not back: {back}")


TESTS = [
    the_framebuffer_of_the_firmware_goes_with_the_console_on_it,
    a_card_of_two_functions_is_reset_with_its_bus_without_any_right_over_the_bridge,
    the_bus_of_a_card_is_reset_through_its_bridge,
    a_card_with_a_driver_changes_hands_with_its_console,
    a_console_on_virtio_gpu_moves_with_its_driver,
    who_holds_the_card_is_named_and_stopped_only_on_demand,
    each_reset_method_is_tried_and_restored,
    every_rung_fails_and_everything_is_as_it_was,
    a_card_that_vfio_has_already_is_removed_and_found_again,
    a_run_killed_while_the_card_is_removed_is_undone,
    the_last_rung_is_a_short_sleep,
]


def main():
    check_tree()
    programs = {"/bin/portal-host": sys.argv[1], "/bin/vfio-use": sys.argv[2],
                "/bin/set-privileges": shutil.which("setpriv")}
    with tempfile.TemporaryDirectory() as work:
        machine = Machine(
            work, initramfs(os.environ["PORTAL_KERNEL_TREE"], programs, MODULES, LATER), DEVICES,
            options=["-global", "ICH9-LPC.disable_s3=0"], parameters="vga=0x317")
        try:
            return 1 if run_tests(machine, TESTS) else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

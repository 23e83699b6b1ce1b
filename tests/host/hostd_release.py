"""portal-hostd releases a graphics card when a person asks for it: who holds it is named, and stopped
only on demand; every rung of the ladder; and the short sleep only with that person's consent.

hostd_release.py PORTAL-HOST PORTAL-HOSTD [PORTAL-HOST-HOOK]

One boot of a machine without a libvirt, in which nothing but memory has to survive the sleep.
"""

import json
import os
import shlex
import shutil
import sys
import tempfile

from hostmachine import Machine, check_tree, expect, initramfs, run_tests
from release import (
    GPU, break_probe, break_probe_until_forgotten, consoles, holders, mend_probe)

MODULES = ["vfio_iommu_type1"]
LATER = ["vfio-pci", "virtio-gpu"]
DEVICES = [
    "pcie-root-port,id=port1,bus=pcie.0,addr=0x4,chassis=1,slot=1",
    "virtio-gpu-pci,bus=port1",
]
SOCKET = "/run/portal/hostd"


def command(method, **parameters):
    return shlex.join(["varlinkctl", "call", "--json=short", "--timeout=infinity", SOCKET,
                       f"org.portal.Host.{method}", json.dumps(parameters)])


def call(machine, method, status=0, **parameters):
    return machine.run(command(method, **parameters), status)


def release(machine, status=0, **parameters):
    return call(machine, "ReleaseGpu", status, device=machine.one(GPU)["address"], **parameters)


def start(machine):
    machine.run("mkdir -p /etc/portal /run/portal && modprobe virtio-gpu && "
                "until [ -e /dev/dri/card0 ]; do usleep 10000; done")
    machine.run("portal-hostd >/run/hostd.log 2>&1 & "
                f"until [ -S {SOCKET} ]; do usleep 10000; done")


def is_with_vfio(machine):
    card = machine.one(GPU)
    expect(card["driver"] == card["driverOverride"] == "vfio-pci", f"not taken: {card}")
    expect(not consoles(machine).get("frame buffer device"), "the console is still there")


def is_with_host(machine):
    card = machine.one(GPU)
    expect(card["driver"] == "virtio-pci" and card["driverOverride"] is None, f"not back: {card}")
    expect(holders(card) == ["console", "framebuffer"], f"holders: {card}")
    expect(consoles(machine)["frame buffer device"], "no console came back")


def a_card_is_released_with_its_console_and_comes_back_with_it(machine):
    is_with_host(machine)
    release(machine)
    is_with_vfio(machine)
    call(machine, "Return", devices=[machine.one(GPU)["address"]])
    is_with_host(machine)


def who_holds_it_is_named_and_stopped_only_on_demand(machine):
    machine.run("sleep 1000000 <>/dev/dri/card0 & echo $! >/tmp/pid")
    said = release(machine, status=1)
    expect("Refused" in said and "sleep (pid" in said, said)
    machine.run("kill -0 $(cat /tmp/pid)")
    release(machine, stopHolders=True)
    machine.run("wait $(cat /tmp/pid); ! kill -0 $(cat /tmp/pid)")
    is_with_vfio(machine)
    call(machine, "Return")
    is_with_host(machine)


def one_that_does_not_let_go_leaves_everything_as_it_was(machine):
    # Only the policy can have it ended by force.
    machine.run("(trap '' TERM; exec sleep 1000000 <>/dev/dri/card0) & echo $! >/tmp/deaf; "
                "until [ $(cat /proc/$(cat /tmp/deaf)/comm) = sleep ]; do usleep 10000; done")
    said = release(machine, status=1, stopHolders=True)
    expect("Failed" in said and "to end within" in said, said)
    machine.run("kill -0 $(cat /tmp/deaf)")
    expect(machine.one(GPU)["driver"] == "virtio-pci", "the driver was moved")
    machine.run("kill -9 $(cat /tmp/deaf); wait $(cat /tmp/deaf)", status=None)
    is_with_host(machine)


def it_is_removed_and_found_again_when_resets_do_not_help(machine):
    break_probe_until_forgotten(machine, machine.one(GPU)["address"])
    release(machine)
    is_with_vfio(machine)
    expect(machine.run("cat /sys/bus/pci/drivers_autoprobe") == "1", "autoprobe is off")
    call(machine, "Return")
    is_with_host(machine)


def without_consent_the_machine_does_not_sleep(machine):
    slept = machine.run("cat /sys/power/suspend_stats/success")
    break_probe(machine)
    said = release(machine, status=1)
    mend_probe(machine)
    expect("Failed" in said, said)
    expect(machine.run("cat /sys/power/suspend_stats/success") == slept, "it slept")
    is_with_host(machine)


def with_it_the_last_rung_is_a_short_sleep(machine):
    machine.run("S=$(cat /sys/power/suspend_stats/success); mv /dev/vfio/vfio /dev/vfio/away; "
                "(until [ $(cat /sys/power/suspend_stats/success) != $S ]; do usleep 1000; done; "
                "mv /dev/vfio/away /dev/vfio/vfio) &")
    address = machine.one(GPU)["address"]
    machine.send(command("ReleaseGpu", device=address, suspend=True))
    expect(machine.monitor.wait_event({"SUSPEND"}), "the machine did not sleep")
    expect(machine.monitor.wait_event({"WAKEUP"}), "the machine did not wake")
    machine.result("ReleaseGpu")
    is_with_vfio(machine)
    expect(machine.run("cat /sys/class/rtc/rtc0/wakealarm") == "", "the alarm is still set")
    call(machine, "Return")
    is_with_host(machine)


def main():
    check_tree()
    programs = {"/bin/portal-host": sys.argv[1], "/bin/portal-hostd": sys.argv[2],
                "/bin/varlinkctl": shutil.which("varlinkctl")}
    with tempfile.TemporaryDirectory() as work:
        machine = Machine(
            work, initramfs(os.environ["PORTAL_KERNEL_TREE"], programs, MODULES, LATER), DEVICES,
            options=["-global", "ICH9-LPC.disable_s3=0"])
        try:
            start(machine)
            return 1 if run_tests(machine, [
                a_card_is_released_with_its_console_and_comes_back_with_it,
                who_holds_it_is_named_and_stopped_only_on_demand,
                one_that_does_not_let_go_leaves_everything_as_it_was,
                it_is_removed_and_found_again_when_resets_do_not_help,
                without_consent_the_machine_does_not_sleep,
                with_it_the_last_rung_is_a_short_sleep,
            ]) else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

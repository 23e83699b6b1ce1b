"""libvirtd is killed in the middle of a start, at each point that its hook tells of: portal-hostd finds it
again, and devices end with a VM that runs or with the host. See hostdtest.py."""

import os
import subprocess

from hostdtest import (
    begin, CONTROLLERS, define, drivers, hook_script, Hostd, libvirt, LAN, main, refused, until, USB, wait)

# Stops libvirt's hook at the operation that a file names, behind what Portal has to say of it.
STOPPING = """
status=$?
if [ "$1 $2" = "$(cat {work}/stop-at 2>/dev/null)" ]; then
	rm {work}/stop-at
	echo here >{work}/here
	read -r _ <{work}/on
fi
exit $status
"""


class Scene:
    """libvirtd with such a hook, and the daemon."""

    def __init__(self, finish, work):
        self.work = work
        for name in ("here", "on"):
            os.mkfifo(os.path.join(work, name))
        script = hook_script(work).replace("exec ", "", 1) + STOPPING.format(work=work)
        self.libvirtd = begin(finish, script)
        define(finish, "work", "play", "net")
        self.hostd = Hostd(work, CONTROLLERS, machine="two-gpu-desktop").start()
        finish.callback(self.hostd.stop)
        self.link = self.hostd.link()
        self.know()

    def know(self):
        self.link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)

    def kill_at(self, domain, operation, act):
        """Does something that starts a domain, and kills libvirtd there."""
        with open(os.path.join(self.work, "stop-at"), "w", encoding="ascii") as file:
            file.write(f"{domain} {operation}")
        act()
        with open(os.path.join(self.work, "here"), encoding="ascii") as file:
            file.read()
        self.libvirtd.die()
        self.link.wait_for("GetState", lambda said: said.get("libvirtProblem") is not None)
        # The hook ends, and nobody hears of it.
        with open(os.path.join(self.work, "on"), "w", encoding="ascii") as file:
            file.write("on\n")


def start(name):
    return subprocess.Popen(["virsh", "--quiet", "--connect", libvirt.URI, "start", name],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def runs(name):
    return "running" in libvirt.virsh("domstate", name)


def settled(scene, home, *names):
    """Devices are with those of the VMs that run, or home."""
    wanted = {USB: "work", LAN: "net"}
    for device, name in wanted.items():
        if name in names:
            driver = "vfio-pci" if runs(name) else home[device]
            until(scene.link, lambda now, device=device, driver=driver: now[device] == driver)


def by_hand(finish, work):
    """A start that somebody asked libvirt for."""
    scene = Scene(finish, work)
    home = drivers(scene.link)
    for operation in ("prepare", "start", "started"):
        starting = []
        scene.kill_at("work", operation, lambda: starting.append(start("work")))
        # Nothing is moved while nobody knows what runs.
        assert drivers(scene.link)[USB] == "vfio-pci"
        assert starting[0].wait() != 0
        scene.libvirtd.come_again()
        scene.know()
        if operation != "started":
            assert not runs("work"), operation
        settled(scene, home, "work")
        libvirt.destroy("work")
        until(scene.link, lambda now: now == home)
        # It starts as ever.
        libvirt.virsh("start", "work")
        assert drivers(scene.link)[USB] == "vfio-pci"
        libvirt.virsh("destroy", "work")
        until(scene.link, lambda now: now == home)


def by_switch(finish, work):
    """One that a switch asked for: it has failed, and everything is home."""
    scene = Scene(finish, work)
    home = drivers(scene.link)
    link = scene.link.again()
    for operation in ("prepare", "start"):
        scene.kill_at("work", operation, lambda: link.send("Switch", controller="work"))
        refused("Failed", "work did not start", link.receive)
        scene.libvirtd.come_again()
        scene.know()
        until(scene.link, lambda now: now == home)
        assert not runs("work"), operation
    assert link.call("Switch", controller="work") == {}
    assert runs("work") and drivers(scene.link)[USB] == "vfio-pci"


main({"by-hand-killed": by_hand, "by-switch-killed": by_switch})

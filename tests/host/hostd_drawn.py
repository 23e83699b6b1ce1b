"""What is to be seen on a graphics card: drawn by the host, by one controller and then another one, and
by the host again, as portal-host switch moves it; within a QEMU machine with an IOMMU, whose card it is.

hostd_drawn.py PORTAL-HOST PORTAL-HOSTD PORTAL-HOST-HOOK PAINT

Whoever has the card drives it with a driver of its own, the controllers through VFIO: nested guests, stock
Debian kernels. What they show is looked at from outside, where the card's output is.
"""

import os
import socket
import sys
import tempfile

from hostdev import DEVICES
from hostdmachine import Hostd
from hostmachine import Shell, check_tree, expect, initramfs, run_tests
from nested import guest_domain, put_guest
from portalvm.picture import Picture
from release import GPU, consoles, holders

POLICY = b"""assign gpu to controllers
controller desk
controller play
"""
# In a guest its DMA goes through the IOMMU's translation, for which virtio has a feature.
CARD = [
    "pcie-root-port,id=port2,bus=pcie.0,addr=0x5,chassis=2,slot=2",
    "virtio-gpu-pci,id=card,bus=port2,iommu_platform=on,disable-legacy=on,xres=640,yres=480",
]
SQUARE = 32
COLOURS = {"host": ("102040", "e0e0e0"), "desk": ("c02020", "ffd040"), "play": ("107030", "80f0ff")}

# Hears that it is to shut down, as a desktop does, and what it shows stays to the last.
OBEY = ("cd /sys/class/input; for each in event*; do grep -q 'Power Button' $each/device/name && "
        "node=/dev/input/$each; done; cd /; "
        "(dd if=$node of=/dev/null bs=24 count=1 2>/dev/null; poweroff -f) &")


class Drawn(Hostd):
    """The host, and the socket at which the guests' shells answer, one after the other."""

    def __init__(self, work, programs, paint):
        self._screen = os.path.join(work, "screen.ppm")
        self._guest_archive = os.path.join(work, "guest")
        tools = {"/bin/paint": paint}
        with open(self._guest_archive, "wb") as file:
            file.write(initramfs(os.environ["PORTAL_KERNEL_TREE"], tools,
                                 ["virtio_gpu", "button", "evdev"], []))
        self._guest_socket, end = socket.socketpair()
        super().__init__(
            work, programs, POLICY, programs=tools, modules=["kvm_amd"], later=["virtio-gpu"],
            devices=[DEVICES[-1], *CARD, "virtserialport,chardev=guest,name=guest"],
            options=["-chardev", f"socket,id=guest,fd={end.fileno()}"], fds=[end.fileno()])
        end.close()
        put_guest(self, self._guest_archive)

    def guest(self):
        """The shell of the controller that has just been started."""
        guest = Shell(self._guest_socket, lambda: self.run("tail -c 2000 /tree/run/console"))
        guest.wait_ready()
        return guest

    def picture(self):
        """What is to be seen on the card's output."""
        self.monitor.execute("screendump", filename=self._screen, device="card", head=0)
        with open(self._screen, "rb") as file:
            return Picture.from_ppm(file.read())


def draw(shell, who):
    """Shows who's colours, until stop_drawing()."""
    first, second = COLOURS[who]
    # The last descriptor is what keeps it.
    shell.run("rm -f /tmp/until /tmp/told; mkfifo /tmp/until /tmp/told; "
              f"paint /dev/dri/card0 {first} {second} </tmp/until >/tmp/told 2>&1 & "
              "exec 7>/tmp/until")
    said = shell.run("head -n1 /tmp/told")
    expect(said == "640 480", f"{who} cannot draw: {said}")


def stop_drawing(shell):
    shell.run("exec 7>&-; wait")


def colours_of(machine):
    """The two colours of a picture that is drawn so, in full and in nothing else; else what there is."""
    picture = machine.picture()
    found = [set(), set()]
    for row in range(picture.height // SQUARE):
        for column in range(picture.width // SQUARE):
            found[(row + column) % 2] |= set(
                picture.colors(column * SQUARE, row * SQUARE, SQUARE, SQUARE))
    size = f"{picture.width}x{picture.height}"
    return size, *("/".join(sorted(colour.hex() for colour in colours)[:4]) for colours in found)


def is_seen(machine, who):
    seen = colours_of(machine)
    expect(seen == ("640x480", *COLOURS[who]), f"what {who} draws is not seen, but {seen}")


def is_not_seen(machine, who):
    seen = colours_of(machine)
    expect(seen[1:] != COLOURS[who], f"{who} is seen")


def the_host_draws_on_its_card(machine):
    machine.run("modprobe virtio-gpu; until [ -e /dev/dri/card0 ]; do usleep 10000; done")
    card = machine.one(GPU)
    expect(holders(card) == ["console", "framebuffer"], f"holders: {card}")
    for name in ("desk", "play"):
        machine.define(guest_domain(name), card["address"])
    machine.wait_for('"state":"off"')
    is_not_seen(machine, "host")
    draw(machine, "host")
    is_seen(machine, "host")
    stop_drawing(machine)


def comes_to(machine, name):
    """It has the card, with a driver of its own, and draws on it."""
    card = machine.one(GPU)
    expect(card["driver"] == "vfio-pci", f"driver: {card}")
    machine.run("[ ! -e /dev/dri/card0 ]")
    guest = machine.guest()
    driver = guest.run("basename $(readlink -f /sys/class/drm/card0/device/virtio*/driver)")
    expect(driver == "virtio_gpu", f"driver: {driver}")
    for who in COLOURS:
        is_not_seen(machine, who)
    draw(guest, name)
    is_seen(machine, name)
    counts = guest.run("awk '/virtio[0-9]*-control$/ { print $2 }' /proc/interrupts").split()
    expect(any(int(count) > 0 for count in counts), f"no interrupt of it came: {counts}")
    guest.run(OBEY)
    return guest


def a_controller_draws_on_it(machine):
    machine.host("switch", "desk")
    comes_to(machine, "desk")


def the_next_controller_draws_on_it_when_the_first_was_shut_down(machine):
    is_seen(machine, "desk")
    machine.host("switch", "play")
    expect(machine.virsh("domstate", "desk").strip() == "shut off", "desk runs")
    comes_to(machine, "play")


def the_host_draws_on_it_again(machine):
    is_seen(machine, "play")
    machine.host("switch", "--host")
    card = machine.one(GPU)
    expect(card["driver"] == "virtio-pci" and card["driverOverride"] is None, f"not back: {card}")
    expect(consoles(machine).get("frame buffer device"), "no console came back")
    is_not_seen(machine, "play")
    draw(machine, "host")
    is_seen(machine, "host")
    stop_drawing(machine)


def main():
    check_tree()
    *programs, paint = (os.path.realpath(path) for path in sys.argv[1:5])
    with tempfile.TemporaryDirectory() as work:
        machine = Drawn(work, programs, paint)
        try:
            return 1 if run_tests(machine, [
                the_host_draws_on_its_card,
                a_controller_draws_on_it,
                the_next_controller_draws_on_it_when_the_first_was_shut_down,
                the_host_draws_on_it_again,
            ]) else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

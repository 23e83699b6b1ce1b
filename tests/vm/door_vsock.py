"""The same as door.py where the controller's door is a vsock; and what else calls there.

vhost-device-vsock hands what a VM sends to its host to a socket of that VM's own: where no door of its
own listens, nothing does. The guest's channel stays virtio-serial: vhost-device-vsock would lose the vsock
of a guest that the controller calls before it is up, as portal-door(8) says.
"""

import os

import door
import vmtest
from portalvm import archive, images, libvirt, siblings, vsock
from portalvm.programs import Programs

# Ports of the doors of the two controllers. The other one has a machine of its own.
PORT, OTHER_PORT = 7001, 7002

OTHER = door.STRANGER.replace("stranger", "other")

# A caller with another key than the door's, and connections that say nothing or what is no greeting:
# one after another, many at once, and many that are held while somebody asks.
RUBBISH = f"""
knock() {{
	echo "session: knock: $(test-knock "$@" | tr '\\n' ' ')"
}}
knock 2 {PORT} 60000 1
knock 2 {PORT} 64 50
knock 2 {OTHER_PORT} 0 1
test-knock 2 {PORT} 0 100 sh -c \\
	'echo "session: crowded: $(portal-run --list --json | tr -d "\\n")"' </dev/null
mkdir -p ~/.local/share/portal
head -c 32 /dev/urandom >~/.local/share/portal/@door.key
portal-run --stop vm:demo --force </dev/null
echo "session: wrong key: $?"
rm ~/.local/share/portal/@door.key
"""

# vhost-device-vsock answers nothing for a socket that is not there.
REFUSED = "0 opened, 1 refused (Connection timed out)"


class OverVsock(door.Controlled):
    """The two VMs, and another controller, which is never run further than to have a door."""

    ports = ["org.portal.guest.demo"]
    address = f"vsock:host:{PORT}"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._images.initrd = self._initrd_with_knock()

    def _initrd_with_knock(self):
        """The machines' initramfs with test-knock, which both have."""
        path = os.path.join(self._directory, "initrd-knock")
        with open(self._images.initrd, "rb") as base, open(path, "wb") as out, \
                open(self._programs["test-knock"], "rb") as knock:
            out.write(base.read())
            out.write(archive.pack({"/project/usr/local/bin/test-knock": (knock.read(), 0o755)}))
        return path

    def _start_vsock(self):
        return vsock.Device(self._directory, {siblings.CONTROLLER_CID: "controller"})

    def _policy(self):
        # What vhost-device-vsock connects to for ports of the host's: portalvm/vsock.py.
        own = os.path.join(self._directory, f"vhost-{siblings.CONTROLLER_CID}.sock.vsock")
        work = f"vsock-unix:{own}:{PORT}"
        other = f"vsock-unix:{self._directory}/vhost-9.sock.vsock:{OTHER_PORT}"
        return door.POLICY.format(directory=self._directory, door=work,
                                  other=f"door {other} {self._directory}/other.key")

    def _rubbish(self):
        return RUBBISH

    def _start_hostd(self):
        libvirt.virsh("define", self._write("other.xml", OTHER))
        self._edit("other", "--door")
        libvirt.virsh("start", "other", "--paused")
        super()._start_hostd()
        self.log.for_text(b"the door of controller other is open at")

    def stop(self):
        libvirt.destroy("other")
        super().stop()


def check_rubbish(pair):
    rubbish, end = pair.said("knock")
    vmtest.check("1 opened, 0 refused" in rubbish and "all ended" in rubbish,
                 f"rubbish ends its connection: {rubbish}")
    rubbish, end = pair.said("knock", end)
    vmtest.check("50 opened, 0 refused" in rubbish and "all ended" in rubbish,
                 f"however often it comes: {rubbish}")
    other, end = pair.said("knock", end)
    vmtest.check(REFUSED in other, f"the other controller's door is not there: {other}")
    crowded, end = pair.said("crowded", end)
    vmtest.check('"demo"' in crowded and '"off"' in crowded,
                 f"who has the key is heard among a hundred who say nothing: {crowded}")
    wrong, _ = pair.said("wrong key", end)
    vmtest.check(wrong == "208", f"who has another key is not heard: {wrong}")


def test(finish):
    pair = OverVsock(Programs(vmtest.BUILD), images.Images(vmtest.BUILD), vmtest.progress)
    finish.callback(pair.stop)
    pair.start(["foot"])
    check_rubbish(pair)
    door.check_window(pair)
    door.check_ways_out(pair)
    door.check_end(pair)
    door.check_host(pair)
    vmtest.check(pair.log.text.count(b"the door of controller work is open") == 1,
                 "the door was the same one all the time")


if __name__ == "__main__":
    vmtest.run(test, "controller", "demo", "other")

"""vsock without the kernel's vhost-vsock: one vhost-device-vsock process serves all guests."""

import os

from . import wait


class Device:
    """A vhost-device-vsock for guests {cid: group}; guests of one group reach each other.

    Of guest CID, vhost_path(CID) is what QEMU connects to, and uds_path(CID) what the host's
    programs connect to (`vsock-unix:PATH:PORT`). paths: {cid: vhost_path} where it must be a
    certain one; the other is then called as portal-run calls it.
    """

    def __init__(self, directory, guests, paths=None):
        self._directory = directory
        self._paths = paths or {}
        command = ["vhost-device-vsock"]
        for cid, group in guests.items():
            os.makedirs(os.path.dirname(self.vhost_path(cid)), mode=0o700, exist_ok=True)
            command += [
                "--vm",
                f"guest-cid={cid},socket={self.vhost_path(cid)},uds-path={self.uds_path(cid)},"
                f"groups={group}",
            ]
        self._process, self._log = wait.start(command, "vhost-device-vsock")
        for cid in guests:
            wait.for_path(self.vhost_path(cid), self._process)

    def vhost_path(self, cid):
        return self._paths.get(cid) or os.path.join(self._directory, f"vhost-{cid}.sock")

    def uds_path(self, cid):
        return self.vhost_path(cid) + ".vsock"

    def stop(self):
        wait.stop(self._process)

"""vsock without the kernel's vhost-vsock: one vhost-device-vsock process serves all guests."""

import os

from . import wait


class Device:
    """A vhost-device-vsock for guests {cid: group}; guests of one group reach each other.

    Of guest CID, vhost_path(CID) is what QEMU connects to, and uds_path(CID) what the host's
    programs connect to (`vsock-unix:PATH:PORT`).
    """

    def __init__(self, directory, guests):
        self._directory = directory
        command = ["vhost-device-vsock"]
        for cid, group in guests.items():
            command += [
                "--vm",
                f"guest-cid={cid},socket={self.vhost_path(cid)},uds-path={self.uds_path(cid)},"
                f"groups={group}",
            ]
        self._process, self._log = wait.start(command, "vhost-device-vsock")
        for cid in guests:
            wait.for_path(self.vhost_path(cid), self._process)

    def vhost_path(self, cid):
        return os.path.join(self._directory, f"vhost-{cid}.sock")

    def uds_path(self, cid):
        return os.path.join(self._directory, f"vsock-{cid}.sock")

    def stop(self):
        wait.stop(self._process)

"""A guest's serial console, followed as it is written."""

import os

from .wait import Follower


class Console:
    """A fifo that QEMU takes for the console's log file; what is written is kept in `said`."""

    def __init__(self, path, name, copy_to=None):
        self.path = path
        if os.path.exists(path):
            os.unlink(path)
        os.mkfifo(path)
        # Open for writing as well, so that neither QEMU nor this end waits for the other.
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CLOEXEC), "r+b", buffering=0)
        self.said = Follower(self._file, f"{name}'s console", copy_to)

"""Where a build directory keeps the programs."""

import os

_FOLDERS = {
    "portal": "compositor",
    "portal-run": "compositor/launcher",
    "portalctl": "compositor/launcher",
    "portal-bridge": "compositor/bridge",
    "portal-agent": "guest-agent",
    "portal-heap": "protocol",
    "portal-host": "host-vfio",
    "portal-hostd": "host-vfio/hostd",
    "portal-door": "host-vfio/door",
    "test-changes": "tests/clients",
    "test-knock": "tests/vm",
}


class Programs:
    """Paths of the programs of a build: programs["portal-run"]."""

    def __init__(self, build):
        self.build = build

    def __getitem__(self, name):
        return os.path.join(self.build, _FOLDERS[name], name)

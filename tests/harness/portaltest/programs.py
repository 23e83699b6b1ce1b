"""Where the programs under test are: the build directory that meson names in PORTAL_BUILD."""

import os

BUILD = os.environ["PORTAL_BUILD"]


def built(path):
    return os.path.join(BUILD, path)


PORTAL = built("compositor/portal")
BRIDGE = built("compositor/bridge/portal-bridge")
RUN = built("compositor/launcher/portal-run")
CTL = built("compositor/launcher/portalctl")
AGENT = built("guest-agent/portal-agent")
TEST_CLIENT = built("tests/clients/test-client")
TEST_INPUT = built("tests/clients/test-input")
TEST_CONTEXT = built("tests/clients/test-context")
TEST_WINDOWS = built("tests/clients/test-windows")
TEST_MINIMAL = built("tests/clients/test-minimal")

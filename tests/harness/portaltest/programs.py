"""Where the programs under test are: the build directory that meson names in PORTAL_BUILD."""

import json
import os

BUILD = os.environ["PORTAL_BUILD"]


def _is_sanitized():
    with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as file:
        options = {option["name"]: option["value"] for option in json.load(file)}
    return options.get("b_sanitize") not in ("none", [], None)


# A sanitizer keeps what was freed, to find uses of it: memory and page faults then say nothing.
SANITIZED = _is_sanitized()


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

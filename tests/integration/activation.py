"""Activation tokens go through a guest's agent: those that come with a launch, and those that one of
its applications gives another.

activation.py COMPOSITOR GUEST [TEST...]; GUEST is always bridge.
"""

import json
import sys

from portaltest import case, guest, programs, scenario
from portaltest.deadline import until

ACTIVATED = ("portal.test.activated", ".*", "activated")


def desktop(name):
    # Without a token a new window does not get the focus.
    return case.desktop(f"activation-{name}", "portal", extra="focus-new never\n")


def start_guest(session, compositor):
    inside = guest.Bridged(session, compositor)
    until("the guest to be ready", lambda: "is ready;" in inside.bridge.log())
    return inside


def ask_for_token(compositor, inside):
    """A window that was clicked, and the token that it got for it."""
    client = inside.start("test-client", [programs.TEST_CLIENT, "activation"])
    client.expect("ready window")
    client.send("next")
    x, y = compositor.screenshot().find(scenario.MARK)
    compositor.input.click(x + 20, y + 20)
    return client, client.expect("token (.*)").group(1)


def launch(session, token):
    """Runs a program in the guest that uses the token it finds; how it ended."""
    parameters = {
        "argv": [programs.TEST_CLIENT, "activated", "-", "early"],
        "environment": [f"XDG_ACTIVATION_TOKEN={token}"],
    }
    lines = session.run(
        "varlinkctl",
        ["varlinkctl", "-j", "--more", "call",
         f"unix:{session.runtime}/portal/bridge-guest.varlink", "org.portal.Bridge.Launch",
         json.dumps(parameters)],
    )
    return json.loads(lines[-1].strip("\x1e"))


def a_launched_program_gets_the_focus_by_the_token_it_was_given(compositor_kind, kind):
    with desktop("launch") as (session, compositor):
        compositor.input.move(*scenario.PARK)
        compositor.windows  # from the beginning
        inside = start_guest(session, compositor)
        asker, token = ask_for_token(compositor, guest.Native(session, compositor))
        exited = launch(session, token)
        assert (exited["event"], exited["status"]) == ("exited", 0), exited
        compositor.windows.expect(*ACTIVATED)
        asker.stop()
        inside.stop()


def an_application_hands_the_focus_to_another_of_its_guest(compositor_kind, kind):
    with desktop("guest") as (session, compositor):
        compositor.input.move(*scenario.PARK)
        compositor.windows
        inside = start_guest(session, compositor)
        asker, token = ask_for_token(compositor, inside)
        other = inside.start("test-client", [programs.TEST_CLIENT, "activated", token, "early"])
        other.expect("ready window")
        compositor.windows.expect(*ACTIVATED)
        for one in (asker, other):
            one.stop()
        inside.stop()


TESTS = [
    a_launched_program_gets_the_focus_by_the_token_it_was_given,
    an_application_hands_the_focus_to_another_of_its_guest,
]


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    case.main(compositor_kind, kind, TESTS, wanted)


main()

"""How the user's keyboard is set up reaches the applications of a guest.

keyboard.py COMPOSITOR GUEST [TEST...]
"""

import os
import signal
import sys

from portaltest import case, guest, programs
from portaltest.deadline import until

SETTINGS = "keyboard {\n\tlayout de\n\trepeat 33 444\n}\n"


def start(inside):
    client = inside.start("test-client", [programs.TEST_CLIENT, "events"])
    client.expect("ready events")
    return client


def await_told(one, repeat):
    """Waits until it has been told this, and returns the last keymap it was told."""
    until(f"repeat {repeat}", lambda: f"keyboard repeat {repeat}" in one.drain())
    return [line for line in one.lines if line.startswith("keyboard keymap")][-1]


def layout_and_repeat_are_the_users(compositor_kind, kind):
    with case.desktop(f"keyboard-{kind}", compositor_kind, extra=SETTINGS) as (session, compositor):
        native = start(guest.Native(session, compositor))
        inside = guest.KINDS[kind](session, compositor)
        client = start(inside)
        first = await_told(native, "33 444")
        until("the same keymap", lambda: await_told(client, "33 444") == first)
        # What runs is told of every change.
        path = os.path.join(session.directory, "portal.scfg")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("repeat 33 444", "repeat 7 300").replace("layout de", "layout fr"))
        compositor.process.popen.send_signal(signal.SIGHUP)
        until("another keymap", lambda: await_told(native, "7 300") != first)
        second = await_told(native, "7 300")
        until("the same keymap", lambda: await_told(client, "7 300") == second)
        for one in (native, client):
            one.stop()
        inside.stop()


TESTS = [layout_and_repeat_are_the_users]


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    case.main(compositor_kind, kind, TESTS, wanted)


main()

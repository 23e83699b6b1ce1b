"""A guest's applications see the controller's outputs as native ones do, while they change, come
and go.

outputs.py COMPOSITOR GUEST [TEST...]; GUEST: native, agent or bridge.
"""

import sys

from portaltest import case, guest, programs, scenario

FIRST, SECOND = "HEADLESS-1", "HEADLESS-2"
TWO = {"WLR_HEADLESS_OUTPUTS": "2"}


def line(name, x, y, width, height, scale=1, transform=0, logical=None):
    """The line of tests/clients/outputs.c for an output; refresh rate and size in mm differ between
    compositors. The place is xdg-output's: wlroots leaves wl_output's at 0,0."""
    shown = logical or (width, height)
    return (
        rf"output {name} at 0,0 {width}x{height}@\d+ \d+x\d+mm scale {scale}"
        rf" transform {transform} logical {x},{y} {shown[0]}x{shown[1]}"
    )


class Outputs:
    """The client, told that of two outputs the second is off."""

    def __init__(self, session, compositor, kind):
        self.compositor = compositor
        compositor.input.move(*scenario.PARK)
        compositor.outputs("--output", SECOND, "--off")
        self.inside = (
            guest.Native(session, compositor)
            if kind == "native"
            else guest.KINDS[kind](session, compositor)
        )
        self.client = self.inside.start("test-client", [programs.TEST_CLIENT, "outputs"])

    def change(self, *arguments):
        self.compositor.outputs(*arguments)

    def finish(self):
        self.client.close_input()
        self.client.expect("end")
        assert self.client.wait_exit() == 0, self.client.details()
        self.inside.stop()


def an_output_is_described_and_its_changes_are_told(compositor_kind, kind):
    with case.desktop(f"outputs-{kind}", compositor_kind, env=TWO) as (session, compositor):
        outputs = Outputs(session, compositor, kind)
        client = outputs.client
        client.expect(line(FIRST, 0, 0, 1024, 768))
        client.expect(f"enter {FIRST}")
        client.expect("ready outputs")
        outputs.change("--output", FIRST, "--scale", "2")
        scaled = line(FIRST, 0, 0, 1024, 768, scale=2, logical=(512, 384))
        client.expect_all(scaled, "preferred scale 2")
        outputs.change("--output", FIRST, "--scale", "1")
        client.expect_all(line(FIRST, 0, 0, 1024, 768), "preferred scale 1")
        outputs.change("--output", FIRST, "--transform", "90")
        client.expect(line(FIRST, 0, 0, 1024, 768, transform=1, logical=(768, 1024)))
        outputs.change("--output", FIRST, "--transform", "normal")
        client.expect(line(FIRST, 0, 0, 1024, 768))
        outputs.change("--output", FIRST, "--custom-mode", "1280x1024")
        client.expect(line(FIRST, 0, 0, 1280, 1024))
        outputs.finish()


def an_output_comes_and_goes(compositor_kind, kind):
    with case.desktop(f"hotplug-{kind}", compositor_kind, env=TWO) as (session, compositor):
        outputs = Outputs(session, compositor, kind)
        client = outputs.client
        client.expect("ready outputs")
        for _ in range(3):
            outputs.change("--output", SECOND, "--on", "--pos", "1024,0")
            client.expect(rf"output {SECOND} at .* logical 1024,0 \d+x\d+")
            outputs.change("--output", SECOND, "--off")
            client.expect(f"output {SECOND} gone")
        outputs.finish()


def a_window_moves_to_the_output_that_is_left(compositor_kind, kind):
    with case.desktop(f"unplug-{kind}", compositor_kind, env=TWO) as (session, compositor):
        outputs = Outputs(session, compositor, kind)
        client = outputs.client
        client.expect(f"enter {FIRST}")
        client.expect("ready outputs")
        outputs.change("--output", SECOND, "--on", "--pos", "1024,0")
        client.expect(rf"output {SECOND} at .* logical 1024,0 \d+x\d+")
        outputs.change("--output", FIRST, "--off")
        client.expect_all(f"output {FIRST} gone", f"enter {SECOND}")
        outputs.finish()


def each_application_enters_the_output_that_takes_anothers_place(compositor_kind, kind):
    with case.desktop(f"swap-{kind}", compositor_kind, env=TWO) as (session, compositor):
        outputs = Outputs(session, compositor, kind)
        command = [programs.TEST_CLIENT, "outputs"]
        clients = [outputs.inside.start("test-client", command) for _ in range(12)]
        for client in (outputs.client, *clients):
            client.expect_all(f"enter {FIRST}", "ready outputs")
        come, go = SECOND, FIRST
        for _ in range(12):
            outputs.change("--output", come, "--on", "--pos", "0,0", "--output", go, "--off")
            for client in (outputs.client, *clients):
                client.expect_all(f"enter {come}", f"output {go} gone")
            come, go = go, come
        for client in clients:
            client.stop()
        outputs.finish()


def main():
    compositor_kind, kind, *wanted = sys.argv[1:]
    tests = [
        an_output_is_described_and_its_changes_are_told,
        an_output_comes_and_goes,
        a_window_moves_to_the_output_that_is_left,
        each_application_enters_the_output_that_takes_anothers_place,
    ]
    case.main(compositor_kind, kind, tests, wanted)


main()

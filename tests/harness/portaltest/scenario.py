"""What happens to each test client while it runs: which input it gets at which stage."""

import re

from .compositor import HEIGHT, WIDTH

PARK = (WIDTH - 1, HEIGHT - 1)  # no window reaches here
MARK = 0xFF0000  # the top left corner of every pattern, tests/clients/buffer.c
LEFT_SHIFT, KEY_A, KEY_B = 42, 30, 48


class Run:
    """One run of one client: its process, the pictures of its stages, its log."""

    def __init__(self, compositor, client, scenario):
        self.compositor = compositor
        self.client = client
        self.scenario = scenario
        self.pictures = []  # (stage, Picture)
        self.counts = {}

    def origin(self, mark=MARK):
        """Where the window's content begins on the screen."""
        found = self.compositor.screenshot().find(mark)
        if not found:
            self.compositor.screenshot().write_png(f"{self.compositor.session.results}/no-window.png")
        assert found, f"no window on the screen\n{self.client.details()}"
        return found

    def stage(self, name):
        self.scenario.at_stage(self, name)
        picture = self.compositor.screenshot(cursor=self.scenario.cursor)
        count = self.counts[name] = self.counts.get(name, 0) + 1
        self.pictures.append((f"{name} {count}" if count > 1 else name, picture))

    def follow(self):
        """Goes through the client's stages to its end."""
        while True:
            match = self.client.expect(r"(ready|click|enter|end) ?(.*)")
            what, name = match.groups()
            if what == "end":
                break
            if what == "ready":
                self.stage(name)
                self.client.send("next")
            elif what == "click":
                self.scenario.click(self, name)
            else:
                x, y = self.origin()
                self.compositor.input.move(x + 50, y + 50)
        status = self.client.wait_exit()
        assert status == 0, f"the client exited with {status}\n{self.client.details()}"

    def log(self):
        """The printed lines, grouped by their first word: what order holds between a pointer's
        events and a window's, say, is not promised by Wayland. What says nothing new is left out:
        empty pointer frames, and a keymap that is the same again because another of the seat's
        keyboards was used."""
        groups, said = {}, {}
        for line in self.client.drain():
            group = groups.setdefault(line.split()[0], [])
            about = " ".join(line.split()[:2])
            if line == "pointer frame":
                repeated = group and group[-1] == line
            elif getattr(self.compositor, "name", None) == "sway" and re.fullmatch("popup .* done", line):
                # wlroots says it twice when a press ends the grabs of both pointer and keyboard,
                # and sway leaves the end of grabs to it.
                repeated = line in group
            else:
                repeated = about in self.STATES and said.get(about) == line
            said[about] = line
            if not repeated:
                group.append(line)
        return groups

    STATES = ("keyboard keymap", "keyboard repeat", "keyboard modifiers")


class Scenario:
    """No input: the pointer stays where no window is."""

    cursor = False  # is the cursor in the pictures

    def begin(self, compositor):
        """Before the client starts, so that the seat has its devices from the beginning."""
        compositor.input.move(*PARK)

    def at_stage(self, run, name):
        pass

    def click(self, run, name):
        raise AssertionError(f"no click is planned for {name}")


class Cursors(Scenario):
    cursor = True


class Fractional(Scenario):
    """On an output whose scale is no whole number."""

    def begin(self, compositor):
        compositor.outputs("--output", compositor.output, "--scale", "1.5")
        compositor.input.move(*PARK)


class Regions(Scenario):
    """Over the window, the subsurface, the hole in its input region, and the island in the hole."""

    points = ((8, 8), (25, 25), (70, 70), (85, 75), (185, 150))

    def at_stage(self, run, name):
        x, y = run.origin()
        for dx, dy in self.points:
            run.compositor.input.move(x + dx, y + dy)
        run.compositor.input.move(*PARK)
        # Of the last point: it left a surface between others, too.
        run.client.expect(r"pointer (enter window|motion) 185\.00 150\.00")
        run.client.expect(r"pointer leave window")
        run.client.expect(r"pointer frame")


class Events(Scenario):
    """Every kind of pointer and keyboard event."""

    def at_stage(self, run, name):
        device = run.compositor.input
        x, y = run.origin()
        device.move(x + 60, y + 50)
        run.client.expect(r"pointer enter window 60\.00 50\.00")
        device.send("by 3.5 -2.25")
        run.client.expect(r"pointer motion .*")
        device.button(True)
        device.button(False)
        device.button(True, device.RIGHT)
        device.button(False, device.RIGHT)
        run.client.expect(rf"pointer button {device.RIGHT} released")
        device.send("axis 0 15 1")
        device.send("axis 1 -30 -2")
        device.send("finger 0 7.5")
        device.send("finger 0 0")
        run.client.expect(r"pointer axis-stop vertical")
        device.move(x + 170, y + 120)
        run.client.expect(r"pointer enter sub 20\.00 20\.00")
        # The keyboard's focus came with the click.
        device.key(KEY_A)
        run.client.expect(rf"keyboard key {KEY_A} released")
        device.send(f"key {LEFT_SHIFT} 1")
        device.key(KEY_B)
        device.send(f"key {LEFT_SHIFT} 0")
        run.client.expect(rf"keyboard key {LEFT_SHIFT} released")
        run.client.expect(r"keyboard modifiers 0 0 0 0")
        device.move(*PARK)
        run.client.expect(r"pointer leave sub")
        run.client.expect(r"pointer frame")


class Grab(Scenario):
    """Clicks open a menu and its submenu, and one outside dismisses both."""

    points = {"first": (40, 30), "second": (30, 50)}

    def click(self, run, name):
        device = run.compositor.input
        if name == "outside":
            device.click(*PARK)
            return
        x, y = self.window = getattr(self, "window", None) or run.origin()
        dx, dy = self.points[name]
        device.move(x + dx, y + dy)
        # Released when the popup is there, so that the order of events is the same every time.
        device.button(True)

    def at_stage(self, run, name):
        if name != "dismissed":
            run.compositor.input.button(False)
            run.client.expect(r"pointer button 272 released")


class Minimize(Scenario):
    """The window hides itself, and a bar brings it back."""

    def begin(self, compositor):
        super().begin(compositor)
        compositor.windows  # before the first one comes

    def at_stage(self, run, name):
        if name != "minimised":
            return
        windows = run.compositor.windows
        number = windows.expect("portal.test.minimize", ".*", "minimized")
        run.pictures.append(("hidden", run.compositor.screenshot()))
        windows.steer("unminimize", number)


SCENARIOS = {
    "cursor": Cursors,
    "shapes": Cursors,
    "fractional": Fractional,
    "regions": Regions,
    "events": Events,
    "grab": Grab,
    "minimize": Minimize,
}


def run(compositor, guest, feature, *arguments):
    """Runs one feature of the test client in a guest through all its stages."""
    from . import programs

    scenario = SCENARIOS.get(feature, Scenario)()
    scenario.begin(compositor)
    client = guest.start("test-client", [programs.TEST_CLIENT, feature, *arguments])
    done = Run(compositor, client, scenario)
    done.follow()
    return done


def assert_same_logs(expected, actual):
    """Fails naming the first line in which two runs' logs differ."""
    for group in sorted(set(expected) | set(actual)):
        wanted, got = expected.get(group, []), actual.get(group, [])
        if wanted == got:
            continue
        at = next(
            (i for i, pair in enumerate(zip(wanted, got)) if pair[0] != pair[1]),
            min(len(wanted), len(got)),
        )
        before = "\n    ".join(wanted[max(0, at - 5) : at])
        raise AssertionError(
            f"the logs differ at line {at + 1} of {group!r}; after\n    {before}\n"
            f"  expected {wanted[at:at + 6]}\n  got      {got[at:at + 6]}"
        )


def numbers(text):
    return [int(value) for value in re.findall(r"-?\d+", text)]

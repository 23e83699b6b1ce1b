"""portal-host as its user meets it: every wrong input has a message and an exit status of its own,
and changes nothing.

cli.py PORTAL-HOST
"""

import fcntl
import functools
import json
import os
import struct
import subprocess
import sys
import termios

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "harness"))

from portaltest import sentences  # noqa: E402, pylint: disable=wrong-import-position

MACHINES = os.path.join(TOP, "tests", "machines")

DONE, FAILED, USAGE, REFUSED, UNSEEN = 0, 1, 2, 3, 5
NOBODY = 65534


class Shell:
    """portal-host with a state directory and a configuration of its own."""

    def __init__(self, program, work):
        self.program = program
        self.work = work
        self.state = os.path.join(work, "state")
        self.config = os.path.join(work, "host.scfg")
        os.mkdir(self.state)

    def write(self, name, text):
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run(self, *args, machine="two-gpu-desktop"):
        where = ["--machine", os.path.join(MACHINES, machine + ".machine")] if machine else []
        return subprocess.run(
            [self.program, "--state", self.state, "--config", self.config, *where, *args],
            capture_output=True, text=True, check=False, timeout=120)

    def give_root(self):
        """A machine with a graphics card, which a process that nobody but root may look at has
        open, as files: the options for it."""
        card = "sys/devices/pci0000:00/0000:00:02.0"
        for name, text in {
                "vendor": "0x8086", "device": "0x4c8a", "class": "0x030000",
                "reset_method": "flr", "driver_override": "(null)",
                "drm/card0/uevent": "DEVNAME=dri/card0"}.items():
            self.write(os.path.join("root", card, name), text + "\n")
        self.write("root/proc/4711/comm", "painter\n")
        self.write("root/sys/bus/pci/drivers/vfio-pci/module/version", "1\n")
        self.write("root/sys/kernel/iommu_groups/7/type", "DMA\n")
        root = os.path.join(self.work, "root")
        for name, target in (
                (f"{card}/iommu_group", "../../../kernel/iommu_groups/7"),
                ("sys/bus/pci/devices/0000:00:02.0", f"../../../../{card}"),
                ("sys/class/drm/card0", f"../../../{card}/drm/card0"),
                ("proc/4711/fd/3", "/dev/dri/card0")):
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            os.symlink(target, os.path.join(root, name))
        os.chmod(os.path.join(root, "proc/4711/fd"), 0)
        return ["--root", root]

    def run_as_nobody(self, *args):
        os.chmod(self.work, 0o755)
        options = {"user": NOBODY, "group": NOBODY, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        return subprocess.run([self.program, "--state", self.state, "--config", self.config, *args],
                              capture_output=True, text=True, check=False, timeout=120, **options)

    def in_terminal(self, columns, *args):
        """The lines that it prints in a terminal of that width."""
        terminal, end = os.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        machine = os.path.join(MACHINES, "two-gpu-desktop.machine")
        command = [self.program, "--state", self.state, "--config", self.config, "--machine",
                   machine, *args]
        with subprocess.Popen(command, stdout=end) as process:
            os.close(end)
            text = b""
            try:
                while chunk := os.read(terminal, 4096):
                    text += chunk
            except OSError:
                pass  # how the end of the other side is told
            process.wait(timeout=120)
        os.close(terminal)
        return text.decode().splitlines()

    def contents(self):
        found = {}
        for directory, _, names in os.walk(self.work):
            for name in names:
                path = os.path.join(directory, name)
                if os.path.islink(path):
                    found[path] = os.readlink(path)
                    continue
                with open(path, "rb") as file:
                    found[path] = file.read()
        return found

    def expect(self, status, words, *args, **options):
        """Runs it; the status, the words on standard error, and that no file changed."""
        before = self.contents()
        done = self.run(*args, **options)
        said = done.stderr.strip()
        assert done.returncode == status, f"{args}: status {done.returncode}, not {status}: {said}"
        assert words in said, f"{args}: {said!r} lacks {words!r}"
        assert self.contents() == before, f"{args} changed files"
        return done


def wrong_command_lines_are_told_apart(shell):
    shell.expect(USAGE, "usage: portal-host", machine=None)
    shell.expect(USAGE, "no such command: lisst", "lisst")
    shell.expect(USAGE, "no such option here: --all", "list", "--all")
    shell.expect(USAGE, "no such option here: --bogus", "--bogus", "list")
    shell.expect(USAGE, "said twice, and counts once: --config", "--config", "x", "list")
    shell.expect(USAGE, "said twice, and counts once: --dry-run", "take", "05:00.0", "--dry-run",
                 "--dry-run")
    shell.expect(USAGE, "an argument is missing", "show")
    shell.expect(USAGE, "one argument too many: b", "forget", "a", "b")
    shell.expect(USAGE, "--machine and --root exclude each other", "--root", "/", "list")
    shell.expect(USAGE, "\"much\" is no amount of memory", "take", "05:00.0", "--memory", "much")
    shell.expect(USAGE, "\"none\" is no number of huge pages", "setup", "--hugepages", "none")
    shell.expect(USAGE, "05:00.0 is no graphics card", "release-gpu", "05:00.0")
    shell.expect(FAILED, "has no VM \"ghost\"", "assignments", "--running", "ghost")


def the_help_fits_a_terminal_of_80_columns(shell):
    done = shell.expect(DONE, "", "--help", machine=None)
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines) <= 80, lines
    assert "  list                          the machine's PCI functions" in lines, lines


def wrong_devices_are_told_apart(shell):
    for command in ("show", "take", "return", "release-gpu"):
        shell.expect(FAILED, "there is no PCI function 0f:00.0", command, "0f:00.0")
        shell.expect(FAILED, "neither a PCI address nor the name", command, "0000:05:00.9")
    shell.expect(FAILED, "neither a PCI address nor the name", "remember", "card", "name")
    shell.expect(USAGE, "is no name", "remember", "05:00.0", "05:00.0")
    shell.expect(FAILED, "no device is known as ghost", "forget", "ghost")


def lines_of_the_policy_that_stand_for_nothing_are_named(shell):
    policy = shell.write("host.scfg", "device dock-usb to host\nunguard 05:00.0\ncontroller work\n")
    absent = "device: \"dock-usb\" is neither a PCI address nor the name of a known device"
    number = "named by address only: 05:00.0."
    done = shell.run("assignments")
    assert done.returncode == DONE and absent in done.stderr and number in done.stderr, done
    found = [entry["finding"] for entry in json.loads(shell.run("--json", "doctor").stdout)
             if entry["id"] == "policy"]
    assert len(found) == 2 and absent in found[0] and number in found[1], found
    shell.run("remember", "05:00.0", "front")
    assert number not in shell.run("assignments").stderr
    os.unlink(os.path.join(shell.state, "devices.scfg"))
    shell.write("host.scfg", "banana\n")
    shell.expect(REFUSED, "", "doctor")
    os.unlink(policy)


def machines_that_cannot_be_read_are_told_apart(shell):
    missing = os.path.join(shell.work, "missing")
    shell.expect(FAILED, f"{missing}: No such file", "--machine", missing, "list", machine=None)
    shell.expect(FAILED, f"{missing}: No such file", "--root", missing, "list", machine=None)
    broken = shell.write("broken", "portal-machine 2\n")
    shell.expect(FAILED, "line 1: not a recorded machine", "--machine", broken, "list",
                 machine=None)
    shell.expect(FAILED, "no PCI device", "--root", shell.state, "list", machine=None)
    shell.expect(FAILED, "Is a directory", "record", shell.state)
    empty = shell.write("empty", "")
    shell.expect(FAILED, f"{empty}: empty", "--machine", empty, "list", machine=None)
    for endless in ("/dev/full", "/dev/zero"):
        shell.expect(FAILED, f"{endless}: not a recorded machine (it is larger than 32 MiB)",
                     "--machine", endless, "list", machine=None)
    shell.expect(FAILED, f"{shell.work}: Is a directory", "--machine", shell.work, "list",
                 machine=None)
    kept = shell.write("kept", "a recording of before\n")
    shell.expect(FAILED, "no PCI device", "--root", shell.work, "record", kept, machine=None)
    assert shell.run("record", kept).returncode == DONE
    with open(kept, encoding="utf-8") as file, \
            open(os.path.join(MACHINES, "two-gpu-desktop.machine"), encoding="utf-8") as other:
        assert file.read() == other.read()
    with open(kept, encoding="utf-8") as file:
        assert shell.run("record", "-").stdout == shell.run("record", "/dev/stdout").stdout == \
            file.read()


def what_stands_in_the_way_refuses_a_change(shell):
    shell.expect(REFUSED, "in no IOMMU group", "take", "02:00.0", machine="no-iommu")
    shell.expect(REFUSED, "(pid 1390)", "take", "01:00.0", machine="notes-laptop")
    shell.expect(REFUSED, "survival guard (input)", "take", "00:14.0")
    shell.expect(REFUSED, "a recorded machine cannot be changed", "take", "05:00.0")
    shell.expect(REFUSED, "was not taken since the machine was booted", "return", "05:00.0")
    shell.expect(REFUSED, "a recorded machine cannot be changed", "recover")
    done = shell.expect(DONE, "", "take", "05:00.0", "--dry-run")
    assert "bind 0000:05:00.0 to vfio-pci" in done.stdout, done.stdout


def a_dry_run_of_what_is_refused_has_no_steps(shell):
    for args, machine, words in (
            (["take", "00:14.0"], "two-gpu-desktop", "survival guard (input)"),
            (["take", "02:00.0"], "no-iommu", "in no IOMMU group"),
            (["take", "01:00.1"], "many-nic-server", "survival guard (login)"),
            (["release-gpu", "01:00.0"], "notes-laptop", "(pid 1390)")):
        done = shell.expect(REFUSED, "nothing would be changed", *args, "--dry-run",
                            machine=machine)
        assert words in done.stdout, done
        assert "within" not in done.stdout and "bind" not in done.stdout, done.stdout
        done = shell.expect(REFUSED, "", "--json", *args, "--dry-run", machine=machine)
        said = json.loads(done.stdout)
        assert said["plan"] is None and said["what"] == "take", said
        assert [found for found in said["findings"] if found["blocks"]], said
        # The same as in earnest.
        done = shell.expect(REFUSED, words, "--json", *args, machine=machine)
        real = json.loads(done.stdout)
        assert real["outcome"] == "refused" and real["findings"] == said["findings"], real
    said = json.loads(shell.run("--json", "take", "05:00.0", "--dry-run").stdout)
    assert said["plan"]["steps"], said


def the_guard_says_what_it_keeps_a_card_for_and_how_to_have_it(shell):
    server = {"machine": "many-nic-server"}
    for card, words in (
            ("01:00.1", "somebody is logged in by sshd-session (pid 2214) through eno2"),
            ("01:00.2", "the default route of table 200 goes through eno3")):
        done = shell.expect(REFUSED, words, "take", card, **server)
        assert f"--unguard 0000:{card}, or unguard in the policy, lets it go" in done.stderr, done
        assert words in shell.run("show", card, **server).stdout
        shell.expect(DONE, "", "take", card, "--dry-run", "--unguard", card, **server)
        shell.write("host.scfg", f"unguard {card}\n")
        shell.expect(DONE, "", "take", card, "--dry-run", **server)
        shell.expect(REFUSED, f"(--unguard 0000:{card} lets it go)", "setup", "--into",
                     shell.work, "--device", card, **server)
        os.unlink(os.path.join(shell.work, "host.scfg"))
    shell.expect(DONE, "", "take", "3b:00.0", "--dry-run", **server)
    shell.expect(REFUSED, "the default route goes through bond0.40", "take", "3b:00.0", "3b:00.1",
                 **server)


def a_card_is_released_as_options_and_policy_say(shell):
    card = "01:00.0"
    shell.expect(USAGE, "--kill says how --stop-holders does it", "release-gpu", card, "--kill")
    shell.expect(USAGE, "--suspend and --no-suspend exclude each other", "release-gpu", card,
                 "--suspend", "--no-suspend")
    shell.expect(USAGE, "\"hammer\" is no reset method", "release-gpu", card, "--reset", "hammer")
    shell.expect(USAGE, "an argument is missing", "release-gpu", "--suspend")
    laptop = ["release-gpu", card, "--dry-run", "--json"]
    done = shell.expect(REFUSED, "", *laptop, machine="notes-laptop")
    findings = json.loads(done.stdout)["findings"]
    assert any(finding["blocks"] and "(pid 1390)" in finding["text"] for finding in findings)
    done = shell.expect(DONE, "", *laptop, "--stop-holders", machine="notes-laptop")
    plan = json.loads(done.stdout)["plan"]
    kinds = [step["kind"] for step in plan["steps"] if step["rung"] == 0]
    assert kinds[:4] == ["end", "end", "unheld", "unheld"], kinds
    assert [rung["title"] for rung in plan["rungs"]] == [
        "reset it by flr", "reset it by bus", "reset the bus that it is on through VFIO",
        "remove it and look for it again"], plan["rungs"]
    # What the policy says counts where no option says anything else.
    policy = shell.write("host.scfg", "release {\n\tstop-holders kill\n\treset 01:00.0 bus\n}\n")
    done = shell.run(*laptop, machine="notes-laptop")
    plan = json.loads(done.stdout)["plan"]
    assert [step["kind"] for step in plan["steps"]][:2] == ["kill", "kill"], plan["steps"]
    assert plan["rungs"][0]["title"] == "reset it by bus", plan["rungs"]
    plan = json.loads(shell.run(*laptop, "--reset", "flr", machine="notes-laptop").stdout)["plan"]
    assert [rung["title"] for rung in plan["rungs"]] == [
        "reset it by flr", "remove it and look for it again"], plan["rungs"]
    # What the card lacks is not left out in silence, whoever asks for it.
    words = "0000:01:00.0 cannot be reset by pm, which --reset or the policy asks for: it has bus"
    desktop = ["release-gpu", card, "--stop-holders", "--dry-run"]
    for more in (["--reset", "pm"], ["--reset", "bus", "--reset", "pm"]):
        assert words in shell.expect(REFUSED, "nothing would be", *desktop, *more).stdout
    shell.write("host.scfg", "release {\n\treset 01:00.0 pm\n}\n")
    assert words in shell.expect(REFUSED, "nothing would be", *desktop).stdout
    for line, words in (("reset 01:00.0", "expected: reset DEVICE METHOD..."),
                        ("reset 01:00.0 hammer", "\"hammer\" is no reset method"),
                        ("suspend yes", "expected: suspend ask|never|allowed"),
                        ("stop-holders gently", "expected: stop-holders [kill]"),
                        ("gently", "\"gently\" has no place here")):
        shell.write("host.scfg", "release {\n\t" + line + "\n}\n")
        shell.expect(FAILED, f"{policy}, line 2: {words}", "release-gpu", card, "--dry-run")
    os.unlink(policy)


def without_root_nothing_is_begun(shell):
    before = shell.contents()
    done = shell.run_as_nobody("recover")
    assert done.returncode == REFUSED, done
    assert "only root may change who drives a device" in done.stderr, done.stderr
    assert shell.contents() == before


def what_only_root_may_write_is_told(shell):
    before = shell.contents()
    os.chmod(shell.state, 0o555)
    shell.write("host.scfg", "guest web {\n\tmemory 1G\n}\n")
    machine = ["--machine", os.path.join(MACHINES, "two-gpu-desktop.machine")]
    for args, words in (
            (["remember", "05:00.0", "name"], f"only root may write to {shell.state}"),
            (["memory", "--report", "web", "5M"], f"only root may write to {shell.state}"),
            (["setup", "--zram", "--apply"], "only root may change the files of this system"),
            (["setup", "--undo"], "only root may change the files of this system"),
            (["setup", "--undo", "--into", shell.work], f"only root may write to {shell.state}")):
        done = shell.run_as_nobody(*machine, *args)
        assert done.returncode == REFUSED and words in done.stderr, done
        assert "Permission denied" not in done.stderr, done
    os.unlink(shell.config)
    assert shell.contents() == before


def who_may_not_see_all_holders_is_told_so(shell):
    root = shell.give_root()
    words = "what 1 process has open could not be looked at"
    take = [*root, "release-gpu", "00:02.0", "--dry-run", "--unguard", "00:02.0"]
    done = shell.run_as_nobody(*take)
    assert done.returncode == UNSEEN and words in done.stderr, done
    assert "bind 0000:00:02.0" in done.stdout, done
    done = shell.run_as_nobody("--json", *take)
    said = json.loads(done.stdout)
    assert done.returncode == UNSEEN and said["holdersComplete"] is False and said["plan"], done
    for command in (["list"], ["show", "00:02.0"]):
        done = shell.run_as_nobody(*root, *command)
        assert done.returncode == DONE and words in done.stderr and "02.0" in done.stdout, done
        said = json.loads(shell.run_as_nobody("--json", *root, *command).stdout)
        device, = said["devices"] if command == ["list"] else said
        assert device["holdersComplete"] is False and device["holders"] == [], device
    done = shell.run_as_nobody(*root, "record", "-")
    assert done.returncode == DONE and words in done.stderr and "[/sys" in done.stdout, done
    # Who may look sees that it is refused, and is told of nothing else.
    os.chmod(os.path.join(shell.work, "root/proc/4711/fd"), 0o755)
    done = shell.run_as_nobody(*take)
    assert done.returncode == REFUSED and "painter (pid 4711)" in done.stdout, done
    assert "could not be looked at" not in done.stderr, done


def what_is_below_another_root_is_only_looked_at(shell):
    root = shell.give_root()
    before = shell.contents()
    for command in (["take", "00:02.0"], ["recover"],
                    ["release-gpu", "00:02.0", "--stop-holders", "--unguard", "00:02.0"]):
        os.chmod(os.path.join(shell.work, "root/proc/4711/fd"), 0o755)
        done = shell.run("--json", *root, *command, machine=None)
        assert done.returncode == REFUSED, done
        if command[0] != "take":
            assert "--root shows another system than the one that runs" in done.stderr, done
        assert json.loads(done.stdout)["outcome"] == "refused", done
    assert shell.contents() == before


def every_outcome_of_a_change_is_told(shell):
    for args, status, outcome, words in (
            (["return", "05:00.0"], REFUSED, "refused", "was not taken since the machine"),
            (["take", "05:00.0"], REFUSED, "refused", "a recorded machine cannot be changed"),
            (["recover"], REFUSED, "refused", "a recorded machine cannot be changed"),
            (["take", "00:14.0"], REFUSED, "refused", "nothing was changed")):
        done = shell.expect(status, words, "--json", *args)
        said = json.loads(done.stdout)
        assert said["outcome"] == outcome and words in said["reason"], said
    with open(os.path.join(MACHINES, "two-gpu-desktop.machine"), encoding="utf-8") as file:
        head, device = file.read().split("0000:05:00.0]\n")
    device = device.replace("xhci_hcd", "vfio-pci", 1)
    device = device.replace("driver_override = (null)", "driver_override = vfio-pci", 1)
    taken = ["--machine", shell.write("taken.machine", f"{head}0000:05:00.0]\n{device}")]
    for args, words in (([*taken, "take", "05:00.0"], "VFIO has it already"),
                        (["return", "--all"], "nothing was taken that is still to be returned")):
        machine = None if args[0] == "--machine" else "two-gpu-desktop"
        done = shell.expect(DONE, "", *args, machine=machine)
        assert done.stdout == f"nothing to do: {words}\n", done
        said = json.loads(shell.expect(DONE, "", "--json", *args, machine=machine).stdout)
        assert said == {"outcome": "unchanged", "reason": words}, said


def where_sys_is_read_only_nothing_is_begun(shell):
    _, root = shell.give_root()
    os.chmod(os.path.join(root, "proc/4711/fd"), 0o755)
    command = [shell.program, "--state", shell.state, "take", "00:02.0", "--unguard", "00:02.0"]
    before = shell.contents()
    # Instead of the running machine's; and of its processes, so that none has the card open.
    read_only = f"mount --bind {root}/sys /sys && mount -o remount,bind,ro /sys && exec \"$@\""
    done = subprocess.run(
        ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", read_only, "sh", *command],
        capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == REFUSED and "/sys is mounted read-only" in done.stderr, done
    assert shell.contents() == before


def corrupt_files_are_named_and_left_alone(shell):
    policy = shell.write("host.scfg", "assign gpu to mars\n")
    for args in (["assignments"], ["memory"], ["take", "05:00.0", "--dry-run"]):
        shell.expect(FAILED, f"{policy}, line 1: expected: assign", *args)
    # What the parser says by itself has another number.
    shell.write("host.scfg", "assign gpu to host\n" * 20 + 'controller "a {\nassign gpu to host\n')
    done = shell.expect(FAILED, f"{policy}:21: not valid scfg", "assignments")
    assert len(done.stderr.splitlines()) == 1, done
    shell.write("host.scfg", "guest a {\n}\n")
    shell.expect(FAILED, "guest a has no memory: its block has to say how much it gets, such as "
                 '"memory 2G"', "memory")
    os.unlink(policy)
    shell.config = "/"
    shell.expect(FAILED, "/: Is a directory", "assignments")
    shell.config = policy
    names = shell.write("state/devices.scfg", "device a {\n\tid what\n}\n")
    shell.expect(FAILED, f"{names}, line 1: not a known device", "list")
    os.unlink(names)
    for text, words in (("00000000 {}\n", "is corrupt in line 1"), ("", "is empty")):
        journal = shell.write("state/transactions/00000000000000000001.journal", text)
        shell.expect(FAILED, f"{journal} {words}", "transactions")
        shell.expect(REFUSED, f"{journal} {words}", "return", "05:00.0")
        os.unlink(journal)
    history = shell.write("state/heap-use.scfg", "guest a {\n\tweight 1 nan\n}\n")
    shell.expect(FAILED, f"{history}, line 1", "memory")
    shell.write("state/heap-use.scfg", "guest a {\n")
    done = shell.expect(FAILED, f"{history}:1: not valid scfg; the use of heaps is written there by "
                        "itself: remove the file", "memory")
    assert "brace" not in done.stderr, done
    os.unlink(history)
    manifest = shell.write("state/setup.json", "[]")
    shell.expect(FAILED, f"{manifest} is corrupt", "setup", "--undo")
    os.unlink(manifest)


def every_command_speaks_json(shell):
    for args in (["list"], ["show", "01:00.0", "05:00.0"], ["groups"], ["known"], ["doctor"],
                 ["assignments"], ["memory"], ["transactions"], ["take", "05:00.0", "--dry-run"]):
        done = shell.run("--json", *args)
        json.loads(done.stdout)
        assert done.returncode == DONE, f"{args}: {done.stderr}"


def the_fields_of_a_device_in_json_are_those_that_are_documented(shell):
    always = {"address", "path", "name", "ids", "subsystemName", "subsystemIds", "class",
              "className", "revision", "category", "driver", "driverOverride", "bootVga", "bars",
              "romSize", "resetMethods", "powerState", "sriovTotal", "sriovEnabled",
              "physicalFunction", "siblings", "holders", "holdersComplete"}
    sometimes = {"netKind", "iommuGroup", "iommuGroupShared"}
    with open(os.path.join(TOP, "man", "portal-host.1.scd"), encoding="utf-8") as file:
        page = file.read()
    seen = set()
    for machine in ("notes-laptop", "many-nic-server", "no-iommu"):
        for device in json.loads(shell.run("--json", "list", machine=machine).stdout)["devices"]:
            fields = set(device)
            assert always <= fields <= always | sometimes, fields
            parts = [part for name in ("bars", "holders") for part in device[name]]
            seen |= fields | {field for part in parts for field in part}
    assert sometimes <= seen
    assert not [field for field in seen if f"_{field}_" not in page], seen
    card = json.loads(shell.run("--json", "show", "01:00.0", machine="notes-laptop").stdout)[0]
    assert card["iommuGroupShared"] == card["siblings"] == ["0000:01:00.1"]
    assert card["bars"][1]["resizableSizesMiB"] == [64, 128, 256, 512, 1024, 2048, 4096]


def a_policy_that_is_not_there_is_told(shell):
    done = shell.expect(DONE, f"there is no policy ({shell.config}): everything stays with the host",
                        "assignments")
    assert "the policy has" not in done.stdout, done
    assert "there is no policy that gives gpu away" in done.stdout, done
    shell.write("host.scfg", "")
    done = shell.expect(DONE, "", "assignments")
    assert "there is no policy" not in done.stderr + done.stdout, done


def a_report_of_more_than_a_heap_can_have_is_refused(shell):
    shell.write("host.scfg", "guest web {\n\tmemory 1G\n}\n")
    shell.expect(USAGE, "no heap has 5000T: 64G are the most", "memory", "--report", "web", "5000T")
    shell.expect(USAGE, "no heap has 65G: 64G are the most", "memory", "--report", "web", "65G")
    assert shell.run("memory", "--report", "web", "64G").returncode == DONE
    assert "64 GiB" in shell.run("memory").stdout


def names_stay_with_their_cards_over_runs(shell):
    assert shell.run("remember", "01:00.0", "fast").returncode == DONE
    assert "fast" in shell.run("known").stdout
    assert "10de:2484" in shell.run("show", "fast").stdout
    shell.expect(FAILED, "another card is where fast was", "show", "fast", machine="notes-laptop")
    shell.expect(REFUSED, "0000:01:00.0 is known as fast already", "remember", "01:00.0", "quick")
    shell.expect(REFUSED, "fast is the name of 0000:01:00.0, which is there", "remember",
                 "05:00.0", "fast")
    shell.expect(DONE, "", "remember", "01:00.0", "fast")
    # The slot has another card: the name may go to it.
    assert shell.run("remember", "01:00.0", "fast", machine="notes-laptop").returncode == DONE
    assert "10de:25a0" in shell.run("show", "fast", machine="notes-laptop").stdout
    shell.expect(FAILED, "another card is where fast was", "show", "fast")
    assert shell.run("forget", "fast", machine="no-iommu").returncode == DONE


def tables_fit_a_terminal_of_80_columns(shell):
    shell.write("host.scfg", "assign gpu usb to controllers\nassign net to router\n"
                "controller a\nguest b {\n\tmemory 4G\n}\n")
    for args in (["list"], ["known"], ["doctor"], ["inputs"], ["memory"], ["transactions"],
                 ["assignments", "--running", "a"]):
        lines = shell.in_terminal(80, *args)
        assert lines and max(len(line) for line in lines) <= 80, (args, lines)
    assert any("GA104 [GeForce" in line for line in shell.in_terminal(80, "list"))
    # Nothing is cut where a program reads it.
    done = shell.run("list")
    assert "0000:01:00.0" in done.stdout and "10de:2484" in done.stdout
    # A device with a name to fool a terminal with.
    with open(os.path.join(MACHINES, "two-gpu-desktop.machine"), encoding="utf-8") as file:
        text = file.read().replace("Logitech USB Keyboard", "Logi\\x1b[2Jtech")
    machine = shell.write("strange.machine", text)
    done = shell.run("--machine", machine, "show", "00:14.0", machine=None)
    assert "Logi" in done.stdout and "\x1b" not in done.stdout, done
    done = shell.run("--machine", machine, "inputs", machine=None)
    assert "Logi" in done.stdout and "\x1b" not in done.stdout, done


def set_ups_that_make_no_sense_are_refused(shell):
    shell.expect(USAGE, "say what is to be set up", "setup")
    shell.expect(USAGE, "has no JSON", "--json", "setup", "--zram")
    shell.expect(REFUSED, "--unguard 0000:04:00.0 lets it go", "setup", "--device", "04:00.0")
    shell.expect(USAGE, "say --device too", "setup", "--entry", "--zram")
    shell.expect(USAGE, "no number of huge pages", "setup", "--hugepages-1g", "-1")
    shell.expect(REFUSED, "would leave the host less than 2 GiB of its 62.5 GiB", "setup",
                 "--hugepages-1g", "50", "--hugepages", "6000")
    shell.expect(REFUSED, "no pages of 1 GiB", "setup", "--hugepages-1g", "1",
                 machine="notes-laptop")
    shell.expect(FAILED, "event99 is no keyboard or mouse", "setup", "--input", "event99")
    shell.expect(FAILED, "there is no user \"no:body\"", "setup", "--audio", "no:body")
    shell.expect(FAILED, "there is no user \"\"", "setup", "--audio")
    missing = os.path.join(shell.work, "missing")
    for what in ("--zram", "--undo"):
        shell.expect(FAILED, f"{missing}: No such file", "setup", what, "--into", missing)
    shell.expect(FAILED, "Not a directory", "setup", "--zram", "--into", "/etc/passwd")
    shell.expect(REFUSED, "a recorded machine has no ROMs", "doctor", "--rom", "01:00.0")
    shell.expect(USAGE, "expected: --device DEVICE[,rom=FILE|any]", "setup", "--device",
                 "01:00.0,rom")
    shell.expect(USAGE, "expected: --device DEVICE[,rom=FILE|any]", "setup", "--device",
                 "01:00.0,rom=")
    shell.expect(USAGE, "0000:05:00.0 is no graphics card", "setup", "--device", "05:00.0,rom=any")
    shell.expect(REFUSED, "00:1c.0 is a bridge", "setup", "--device", "00:1c.0")
    # The SMBus stays with its driver, so no VM could have the sound card.
    shell.expect(REFUSED, "0000:00:1f.4 (system, driver i801_smbus) shares IOMMU group 8", "setup",
                 "--device", "00:1f.3")


def image(vendor, device, kind):
    """An expansion ROM of one image: code type 0 for a BIOS, 3 for UEFI."""
    rom = bytearray(512)
    rom[0:2], rom[0x18] = b"\x55\xaa", 0x1c
    struct.pack_into("<4sHH", rom, 0x1c, b"PCIR", vendor, device)
    rom[0x2c], rom[0x30], rom[0x31] = 1, kind, 0x80
    return bytes(rom)


def a_graphics_card_is_set_up_with_a_rom_that_uefi_can_use(shell):
    shell.write("root/etc/initramfs-tools/modules", "")
    shell.write("root/etc/default/grub", 'GRUB_CMDLINE_LINUX=""\n')
    setup = ["setup", "--into", os.path.join(shell.work, "root"), "--device"]
    roms = {}
    for name, rom in (("uefi", image(0x10de, 0x2484, 3)), ("bios", image(0x10de, 0x2484, 0)),
                      ("other", image(0x1002, 0x2484, 3)), ("cut", image(0x10de, 0x2484, 3)[:40])):
        roms[name] = os.path.join(shell.work, name)
        with open(roms[name], "wb") as file:
            file.write(rom)
    said = shell.expect(DONE, "", *setup, f"01:00.0,rom={roms['uefi']}").stdout
    assert "UEFI" not in said and "Nothing was written: --apply does it." in said, said
    for name, words in (("bios", "The ROM of 10de:2484 has no UEFI image"),
                        ("other", f"{roms['other']} is of a device 1002:2484"),
                        ("cut", f"{roms['cut']} is no whole expansion ROM")):
        said = shell.expect(REFUSED, words, *setup, f"01:00.0,rom={roms[name]}", "--apply").stderr
        assert "--device 0000:01:00.0,rom=any" in said, said
    shell.expect(FAILED, "missing: No such file", *setup,
                 f"01:00.0,rom={os.path.join(shell.work, 'missing')}")
    shell.expect(FAILED, "is no copy of an expansion ROM", *setup, f"01:00.0,rom={shell.work}")
    said = shell.expect(DONE, "", *setup, "01:00.0,rom=any").stdout
    assert "UEFI" not in said, said
    said = " ".join(shell.expect(DONE, "", *setup, "01:00.0").stdout.split())
    assert "Whether the ROM of 0000:01:00.0 has an image for UEFI was not looked at" in said, said
    assert "0000:01:00.1 (gpu-audio) is reserved as well" in said, said
    # A companion that VFIO has already comes along as well.
    with open(os.path.join(MACHINES, "two-gpu-desktop.machine"), encoding="utf-8") as file:
        head, card = file.read().split("[/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.1]")
    machine = shell.write("taken.machine", head
                          + "[/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.1]"
                          + card.replace("snd_hda_intel", "vfio-pci", 1))
    said = shell.expect(DONE, "", "--machine", machine, *setup, "01:00.0,rom=any",
                        machine=None).stdout
    assert '/0000:??:00.1", ATTR{vendor}=="0x10de", ATTR{device}=="0x228b"' in said, said


def a_set_up_is_taken_back_beside_what_was_changed_since(shell):
    shell.write("root/etc/initramfs-tools/modules", "")
    grub = shell.write("root/etc/default/grub", 'GRUB_CMDLINE_LINUX="ro"\n')
    root = ["--into", os.path.join(shell.work, "root")]
    assert shell.run("setup", *root, "--device", "05:00.0", "--apply").returncode == DONE
    with open(grub, encoding="utf-8") as file:
        after = file.read()
    shell.write("root/etc/default/grub", after.replace("ro ", "rw "))
    done = shell.expect(FAILED, f"\"before\" in {shell.state}/setup.json", "setup", *root, "--undo")
    assert '-GRUB_CMDLINE_LINUX="ro ' in done.stdout and '+GRUB_CMDLINE_LINUX="rw ' in done.stdout
    shell.write("root/etc/default/grub", f"# mine\n{after}")
    done = shell.run("setup", *root, "--undo")
    assert done.returncode == DONE and "/etc/default/grub was changed by somebody" in done.stdout
    with open(grub, encoding="utf-8") as file:
        assert file.read() == '# mine\nGRUB_CMDLINE_LINUX="ro"\n'


def what_a_reserved_disk_holds_is_told(shell):
    shell.write("root/etc/initramfs-tools/modules", "")
    shell.write("root/etc/default/grub", 'GRUB_CMDLINE_LINUX=""\n')
    done = shell.expect(DONE, "", "setup", "--into", os.path.join(shell.work, "root"), "--device",
                        "04:00.0", "--unguard", "04:00.0")
    said = " ".join(done.stdout.split())
    assert "/home is mounted from /dev/mapper/vg-home, a disk behind 0000:04:00.0" in said, said
    assert "Take it out of /etc/fstab" in said, said


def a_set_up_says_what_the_machine_lacks(shell):
    shell.write("root/etc/initramfs-tools/modules", "")
    shell.write("root/etc/default/grub", 'GRUB_CMDLINE_LINUX=""\n')
    root = os.path.join(shell.work, "root")
    card = ["setup", "--into", root, "--unguard", "01:00.0", "--device", "01:00.0"]
    said = " ".join(shell.expect(DONE, "", *card, machine="no-iommu").stdout.split())
    for words in ("The firmware offers no IOMMU", "switch on \"VT-d\"",
                  "What shares an IOMMU group with 0000:01:00.0"):
        assert words in said, f"{words!r} is missing:\n{said}"
    said = shell.expect(DONE, "", *card, machine="notes-laptop").stdout
    assert "A problem" not in said and "What shares" not in said, said
    said = shell.expect(DONE, "", "setup", "--into", root, "--zram", machine="no-iommu").stdout
    assert "A problem" not in said, said


TESTS = [
    wrong_command_lines_are_told_apart,
    the_help_fits_a_terminal_of_80_columns,
    wrong_devices_are_told_apart,
    lines_of_the_policy_that_stand_for_nothing_are_named,
    machines_that_cannot_be_read_are_told_apart,
    what_stands_in_the_way_refuses_a_change,
    a_dry_run_of_what_is_refused_has_no_steps,
    the_guard_says_what_it_keeps_a_card_for_and_how_to_have_it,
    a_card_is_released_as_options_and_policy_say,
    without_root_nothing_is_begun,
    what_only_root_may_write_is_told,
    who_may_not_see_all_holders_is_told_so,
    what_is_below_another_root_is_only_looked_at,
    every_outcome_of_a_change_is_told,
    where_sys_is_read_only_nothing_is_begun,
    corrupt_files_are_named_and_left_alone,
    every_command_speaks_json,
    the_fields_of_a_device_in_json_are_those_that_are_documented,
    a_policy_that_is_not_there_is_told,
    a_report_of_more_than_a_heap_can_have_is_refused,
    names_stay_with_their_cards_over_runs,
    tables_fit_a_terminal_of_80_columns,
    set_ups_that_make_no_sense_are_refused,
    a_graphics_card_is_set_up_with_a_rom_that_uefi_can_use,
    a_set_up_is_taken_back_beside_what_was_changed_since,
    what_a_reserved_disk_holds_is_told,
    a_set_up_says_what_the_machine_lacks,
]

sentences.run_each(TESTS, sys.argv[2:], functools.partial(Shell, sys.argv[1]))

"""What the VM tests have in common: the package of tools/demo, checks, and a report of failures."""

import contextlib
import json
import os
import subprocess
import sys
import syslog

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools", "lib"))

from portalvm import images, libvirt, wait  # noqa: E402, pylint: disable=wrong-import-position

BUILD = os.environ["PORTAL_BUILD"]

# A line for the guest's shell: a bar in a colour nothing else has, in the terminal, and the result
# of a calculation, so that it is no echo of keys, on the serial console.
LINE = "printf '\\e[48;2;18;52;86m%60s\\e[0m\\n'; echo typed-$((6*7)) >/dev/ttyS0\n"
SAID = b"typed-42"
COLOR = bytes([18, 52, 86])
COLOR_PIXELS = 60 * 5 * 8  # sixty cells of a font that is at least so large


def progress(text):
    print(f"--- {text}", flush=True)


def check(holds, sentence):
    """A check that is named in the log whether it holds or not."""
    print(f"{'ok' if holds else 'NOT OK'} - {sentence}", flush=True)
    if not holds:
        raise wait.Failure(sentence)


def shows_bar(picture, window):
    """Whether the bar of LINE is to be seen within a window."""
    box = window["box"]
    colors = picture.colors(box["x"], box["y"], box["width"], box["height"])
    return colors.get(COLOR, 0) >= COLOR_PIXELS


def journal(*identifiers):
    """A command that prints what the journal has under these names, as what told() reads."""
    names = " ".join(f"-t {name}" for name in identifiers)
    return (f"journalctl --boot --quiet --output=json {names} "
            "--output-fields=SYSLOG_IDENTIFIER,PRIORITY,MESSAGE | cat")


def told(text):
    """The entries of journal() in a console's text: {identifier: [(priority, message)]}."""
    found = {}
    for line in text.decode(errors="replace").splitlines():
        if '"SYSLOG_IDENTIFIER"' in line:
            # Behind what may stand on the line of a terminal.
            entry = json.loads(line[line.index("{"):])
            found.setdefault(entry["SYSLOG_IDENTIFIER"], []).append(
                (int(entry["PRIORITY"]), entry["MESSAGE"]))
    return found


def check_log(found, identifier, prefix):
    """What a program of Portal's says is in the journal with its VM's name, and with its priority."""
    lines = [(priority, message) for priority, message in found.get(identifier, [])
             if message.startswith(prefix)]
    check(any(priority == syslog.LOG_INFO for priority, _ in lines),
          f"the journal has as {identifier}: {lines}")
    check(not any("<6>" in message for _, message in lines), "its priority is not in the text")


def mappers(path):
    """Ids of the processes that have a file mapped."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/maps", encoding="utf-8", errors="replace") as file:
                    if any(line.rstrip().endswith(path) for line in file):
                        found.add(int(entry))
    return found


def name_of(pid):
    """The program a process runs."""
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    return "?"


def hypervisor(channel, guests=1):
    """The programs that make up the hypervisor of some guests, all of which map guests' memory:
    QEMU hands all of it, the heap included, to the vhost-user device that makes a vsock of it."""
    programs = ["qemu-system-x86_64"] * guests
    return programs if channel == "virtio-serial" else [*programs, "vhost-device-vsock"]


def bind(source, target, *options):
    """The parents of source may be closed to another user; those of target are not."""
    subprocess.run(["mount", "--bind", source, target], check=True)
    if options:
        subprocess.run(["mount", "-o", ",".join(["remount", "bind", *options]), target], check=True)


def lay_out_images(directory):
    """The guest's images where another user can read them, and nobody gives them to him: libvirt would,
    and for good."""
    made = images.Images(BUILD)
    os.mkdir(directory)
    for path in (made.kernel, made.initrd, made.root):
        target = os.path.join(directory, os.path.basename(path))
        with open(target, "wb"):
            pass
        bind(os.path.realpath(path), target, "ro")


def run(test, *domains):
    """Runs test(finish), with finish an ExitStack; a failure is explained with what QEMU said."""
    with contextlib.ExitStack() as finish:
        try:
            test(finish)
        except (wait.Failure, OSError) as failure:
            print(f"NOT OK - {failure}", flush=True)
            for domain in domains:
                print(f"--- QEMU of {domain}:\n{libvirt.domain_log(domain)[-3000:]}")
            sys.exit(1)

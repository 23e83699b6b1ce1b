"""`meson install` puts everything where a system looks for it, and what it puts there works.

install.py SOURCE BUILD
"""

import os
import re
import subprocess
import sys
import tempfile

PROGRAMS = ["portal", "portal-agent", "portal-bridge", "portal-heap", "portal-host", "portal-run",
            "portalctl"]
MAN_PAGES = [f"man/man1/{name}.1" for name in PROGRAMS]
# One of each beside the programs and their pages; the directories above depend on the prefix.
FILES = [
    "etc/portal/portal.scfg",
    "etc/libvirt/hooks/qemu.d/portal-host-hook",
    "lib/systemd/system/portal-agent@.service",
    "lib/systemd/system/portal-hostd.service",
    "lib/systemd/system/portal-hostd.socket",
    "lib/systemd/system/portal-keys.service",
    "lib/sysusers.d/portal-agent.conf",
    "lib/sysusers.d/portal-hostd.conf",
    "lib/udev/rules.d/60-portal-agent.rules",
    "sbin/portal-host-hook",
    "sbin/portal-hostd",
    "share/polkit-1/actions/org.portal.host.policy",
    "share/wayland-sessions/portal.desktop",
]
_failed = []


def check(holds, sentence):
    print(f"{'ok' if holds else 'NOT OK'} - {sentence}")
    if not holds:
        _failed.append(sentence)


def installed_files(directory):
    return [os.path.join(place, name) for place, _, names in os.walk(directory) for name in names]


def find(files, suffix):
    """The one installed file whose path ends like this, or None."""
    found = [path for path in files if path.endswith("/" + suffix)]
    return found[0] if len(found) == 1 else None


def check_files(files, source):
    for name in [*(f"bin/{program}" for program in PROGRAMS), *MAN_PAGES, *FILES]:
        check(find(files, name), f"{name} is installed")
    # Every page that is written is installed: file formats and protocols as well.
    for page in sorted(os.listdir(os.path.join(source, "man"))):
        match = re.fullmatch(r"(.+\.([1-8]))\.scd", page)
        if match:
            check(find(files, f"man/man{match[2]}/{match[1]}"), f"the page {match[1]} is installed")


def check_unit(files, directory):
    """The program that a unit starts is one that was installed, or the system's shell."""
    for path in (name for name in files if name.endswith(".service")):
        with open(path, encoding="utf-8") as file:
            program = re.search(r"^ExecStart=[-@:+!]*(\S+)", file.read(), re.MULTILINE)[1]
        check(program == "/bin/sh" or os.access(directory + program, os.X_OK),
              f"{os.path.basename(path)} starts {program}, which is installed")


def check_configuration(files, runtime):
    """The default configuration is one: the installed portal-run reads it."""
    done = subprocess.run(
        [find(files, "bin/portal-run"), "--config", find(files, "etc/portal/portal.scfg"),
         "--list"],
        env={**os.environ, "XDG_RUNTIME_DIR": runtime}, capture_output=True, text=True, check=False,
    )
    check(done.returncode == 0 and done.stdout.startswith("NAME"),
          f"the default configuration is read: {done.stdout}{done.stderr}")


def main():
    source, build = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            ["meson", "install", "-C", build, "--destdir", directory, "--no-rebuild", "--quiet"],
            check=True,
        )
        files = installed_files(directory)
        check_files(files, source)
        check_unit(files, directory)
        check_configuration(files, directory)
    return 1 if _failed else 0


sys.exit(main())

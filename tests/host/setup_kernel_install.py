"""What `portal-host setup` writes for systemd-boot, and what Debian's own tools make of it when its
commands are run: initramfs-tools, which calls kernel-install, which calls what setup has put there. The
system is a whole one, in a mount namespace, and not started; its kernel's version has a plus.

setup_kernel_install.py PORTAL-HOST
"""

import functools
import glob
import os
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "harness"))

from portaltest import sentences  # noqa: E402, pylint: disable=wrong-import-position

MACHINE = os.path.join(TOP, "tests", "machines", "two-gpu-desktop.machine")
NIC = "0000:05:00.0"
WORDS = "intel_iommu=on iommu=pt"
STARTED_WITH = "root=/dev/vda2 ro quiet"

# systemd-boot's partition is a directory here, and this is no container.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8",
               "SYSTEMD_ESP_PATH": "/boot/efi"}
# In this process's own mount namespace: nothing that is mounted there is ever below a directory that
# is removed.
PLACE = "/mnt"
ENTRIES = "boot/efi/loader/entries"


class System:
    """One that systemd-boot starts, with one kernel."""

    def __init__(self, program, work):
        self.root = os.path.join(PLACE, "root")
        self.command_line = os.path.join(work, "cmdline")
        subprocess.run(["sh", "-ec", f"""
            mount -t tmpfs none {PLACE}
            mkdir {self.root} {PLACE}/upper {PLACE}/work
            mount -t overlay none {self.root} -o \
                lowerdir=$PORTAL_BOOT_TREE,upperdir={PLACE}/upper,workdir={PLACE}/work
            mount --rbind /proc {self.root}/proc
            mount --rbind /dev {self.root}/dev
            mount --bind /bin/false {self.root}/usr/bin/systemd-detect-virt
            echo 'initrd=\\initrd {STARTED_WITH}' >{self.command_line}
            mount --bind {self.command_line} {self.root}/proc/cmdline
            cp {program} {self.root}/usr/local/bin/portal-host
            cp {MACHINE} {self.root}/machine
            echo 5b0c3c7ee7f24d0a9ac1e6d7f0f3a1b2 >{self.root}/etc/machine-id
            echo COMPRESSLEVEL=1 >{self.root}/etc/initramfs-tools/conf.d/compress
            ln -s /dev/null {self.root}/etc/kernel/install.d/50-depmod.install
            mkdir {self.root}/boot/efi
            rm {self.root}/etc/default/grub
            """], check=True)
        self.kernel, = os.listdir(os.path.join(self.root, "usr/lib/modules"))
        assert "+" in self.kernel, self.kernel
        self.run("bootctl", "--no-variables", "install")

    def run(self, *command):
        done = subprocess.run(["chroot", self.root, *command], env=ENVIRONMENT, text=True,
                              capture_output=True, check=False, timeout=600)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def add_kernel(self):
        self.run("kernel-install", "add", self.kernel, f"/boot/vmlinuz-{self.kernel}")

    def setup(self, *args):
        """With the commands that it names; what it said."""
        said = self.run("portal-host", "--machine", "/machine", "setup", *args)
        lines = said.splitlines()
        begin, end = lines.index("Now run, as root:"), lines.index("and start the machine anew.")
        for line in lines[begin + 1:end]:
            self.run("sh", "-c", line)
        return said

    def entries(self):
        """{name: text}"""
        found = {}
        for path in glob.glob(os.path.join(self.root, ENTRIES, "*")):
            with open(path, encoding="utf-8") as file:
                found[os.path.basename(path)] = file.read()
        return found

    def start(self, name):
        """As if it had been started from this entry: what it runs with."""
        text = self.entries()[name]
        options, = [line for line in text.splitlines() if line.startswith("options ")]
        with open(self.command_line, "w", encoding="utf-8") as file:
            file.write(options.removeprefix("options").lstrip() + "\n")

    def files(self):
        """The text of every file that a set-up may touch."""
        return self.run("sh", "-c", "cd / && find etc boot/efi/loader -type f ! -name random-seed "
                        "-exec sha256sum {} + | sort -k 2")


def only(entries, ending):
    name, = [name for name in entries if name.endswith(ending)]
    return name


def a_set_up_is_in_the_entry_until_it_is_taken_back(system):
    system.add_kernel()
    before, entries = system.files(), system.entries()
    name, = entries
    assert f"{STARTED_WITH} systemd.machine_id=" in entries[name], entries
    system.setup("--device", NIC, "--apply")
    assert {name: entries[name].replace("\nlinux", f" {WORDS}\nlinux")} == system.entries()
    system.start(name)
    system.setup("--undo")
    assert system.files() == before


def an_entry_for_vms_is_there_until_it_is_taken_back(system):
    system.add_kernel()
    before = system.files()
    usual, = system.entries()
    system.setup("--device", NIC, "--entry", "--apply")
    entries = system.entries()
    ours = usual.replace(".conf", "-portal.conf")
    assert set(entries) == {usual, ours}, entries
    assert f" {WORDS} portal.vfio=1\n" in entries[ours], entries
    assert f" {WORDS}\n" in entries[usual], entries
    system.start(ours)
    system.setup("--undo")
    assert system.files() == before


def entries_whose_tries_are_counted_are_taken_back(system):
    with open(os.path.join(system.root, "etc/kernel/tries"), "w", encoding="utf-8") as file:
        file.write("3\n")
    system.add_kernel()
    before = system.files()
    system.setup("--device", NIC, "--entry", "--apply")
    usual, ours = only(system.entries(), "+3.conf"), only(system.entries(), "-portal.conf")
    assert ours == usual.replace("+3.conf", "-portal.conf") and len(system.entries()) == 2
    # What systemd-bless-boot does after a good start.
    good = usual.replace("+3.conf", ".conf")
    os.rename(os.path.join(system.root, ENTRIES, usual), os.path.join(system.root, ENTRIES, good))
    system.start(good)
    said = system.setup("--undo")
    assert "removed" not in said, said
    assert system.files() == before


TESTS = [
    a_set_up_is_in_the_entry_until_it_is_taken_back,
    an_entry_for_vms_is_there_until_it_is_taken_back,
    entries_whose_tries_are_counted_are_taken_back,
]

if not os.path.isdir(os.environ.get("PORTAL_BOOT_TREE", "")):
    raise SystemExit("PORTAL_BOOT_TREE names no tree: run this through tools/test --all")
if "--inside" not in sys.argv:
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv, "--inside"])
sys.argv.remove("--inside")
sentences.run_each(TESTS, sys.argv[2:], functools.partial(System, sys.argv[1]))

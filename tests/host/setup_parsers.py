"""What `portal-host setup` writes, read by the programs that it is written for: GRUB's own
generator and syntax check, udevadm, modprobe, systemd, sysctl, and the shells that read the files
of initramfs generators. Each runs in a mount namespace in which the set-up tree is in place.

setup_parsers.py PORTAL-HOST
"""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "harness"))

from portaltest import sentences  # noqa: E402, pylint: disable=wrong-import-position

MACHINE = os.path.join(TOP, "tests", "machines", "two-gpu-desktop.machine")
CARD, SOUND = "0000:01:00.0", "0000:01:00.1"
KERNELS = ["6.12.48+deb13-amd64", "6.1.0-39-amd64"]

# Answers what grub-mkconfig asks of a disk.
PROBE = """#!/bin/sh
for word; do case $word in --target=*) target=${word#--target=} ;; esac; done
case $target in
device) echo /dev/sda1 ;;
fs_uuid) echo 0d6c ;;
fs) echo ext2 ;;
partmap) echo gpt ;;
abstraction) ;;
*) exit 1 ;;
esac
"""


class System:
    """A tree of a system to set up, and commands run with parts of it in place."""

    def __init__(self, program, work):
        self.program = program
        self.work = work
        self.root = os.path.join(work, "root")
        self.state = os.path.join(work, "state")
        for name in ("passwd", "group"):
            with open(f"/etc/{name}", encoding="utf-8") as file:
                self.write(f"etc/{name}", file.read())

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def setup(self, *args):
        done = subprocess.run(
            [self.program, "--machine", MACHINE, "--state", self.state, "setup", "--into",
             self.root, *args], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"setup {args}: {done.stderr}"
        return done.stdout

    def run(self, *command, binds=(), path=None, env=None):
        """Standard output of a command that sees the tree's file or directory in place of each
        path in `binds`."""
        script = "".join(
            f"mount --bind {shlex.quote(source)} {shlex.quote(target)} && "
            for source, target in binds) + shlex.join(command)
        env = {**os.environ, "LC_ALL": "C", **(env or {})}
        if path:
            env["PATH"] = f"{path}:{env['PATH']}"
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True,
                              text=True, check=False, timeout=120, env=env)
        assert done.returncode == 0, f"{command}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout


def debian(system):
    system.write("etc/initramfs-tools/modules", "# modules\n")
    system.write("usr/sbin/update-grub", "#!/bin/sh\n", 0o755)
    system.write("etc/default/grub", "GRUB_DISTRIBUTOR=Debian\nGRUB_CMDLINE_LINUX_DEFAULT=quiet\n")
    subprocess.run(["cp", "-r", "/etc/grub.d", system.path("etc/grub.d")], check=True)
    for kernel in KERNELS:
        system.write(f"boot/vmlinuz-{kernel}", "")
        system.write(f"boot/initrd.img-{kernel}", "")
    os.mkdir(system.path("boot/grub"))


def grub_menu(system):
    """The menu that the system's grub-mkconfig makes, after GRUB's syntax check."""
    probe = system.write("../probe", PROBE, 0o755)
    menu = os.path.join(system.work, "grub.cfg")
    system.run("grub-mkconfig", "-o", menu, binds=[
        (system.path("etc/grub.d"), "/etc/grub.d"), (system.path("etc/default"), "/etc/default"),
        (system.path("boot"), "/boot"), (probe, "/usr/sbin/grub-probe")])
    system.run("grub-script-check", menu)
    with open(menu, encoding="utf-8") as file:
        return file.read()


def entries_of(menu):
    """(title, id, command line) of each entry, in the menu's order."""
    found = []
    for title, ident, body in re.findall(
            r"menuentry '([^']*)'[^\n]*menuentry_id_option '([^']*)' {\n(.*?)\n\s*}", menu, re.S):
        line = re.search(r"^\s*linux\s+\S+(.*)$", body, re.M)
        if line:
            found.append((title, ident, line.group(1).split()))
    return found


def grub_s_menu_gets_an_entry_for_each_kernel_that_leaves_the_card_out(system):
    debian(system)
    before = grub_menu(system)
    system.setup("--device", CARD, "--entry", "--hugepages-1g", "4", "--apply")
    entries = entries_of(grub_menu(system))
    plain = [entry for entry in entries if "portal.vfio=1" not in entry[2]]
    ours = [entry for entry in entries if "portal.vfio=1" in entry[2]]
    assert len(ours) == len(plain) == 1 + 2 * len(KERNELS), entries
    # What is started without a choice is what was started before.
    assert entries[0] in plain
    assert len({ident for _, ident, _ in entries}) == len(entries), "ids are not unique"
    for (title, ident, words), (usual, usual_ident, usual_words) in zip(ours, plain):
        assert title == "Devices for VMs: " + usual
        assert ident == "portal-" + usual_ident
        assert [word for word in words if word != "portal.vfio=1"] == usual_words
        assert "intel_iommu=on iommu=pt hugepagesz=1G hugepages=4" in " ".join(words)
    system.setup("--undo")
    assert grub_menu(system) == before


def udev_reads_the_rules(system):
    debian(system)
    for entry in ((), ("--entry",)):
        system.setup("--device", CARD, *entry, "--apply")
        system.run("udevadm", "verify", system.path("etc/udev/rules.d/60-portal-vfio.rules"))
        system.setup("--undo")
    # An input device that udev has no path for.
    bare = os.path.join(system.work, "bare.machine")
    with open(MACHINE, encoding="utf-8") as file, open(bare, "w", encoding="utf-8") as copy:
        copy.write(re.sub(r"\[/dev/input/by-id\]\n(.+\n)+", "", file.read()))
    subprocess.run([system.program, "--machine", bare, "--state", system.state, "setup", "--into",
                    system.root, "--input", "event3", "--input", "event4", "--apply"], check=True,
                   capture_output=True)
    system.run("udevadm", "verify", system.path("etc/udev/rules.d/70-portal-inputs.rules"))


# What they are in the recorded machine.
IDS = {CARD: ("0x10de", "0x2484", "0x1458", "0x404c", "0x030000"),
       SOUND: ("0x10de", "0x228b", "0x1458", "0x404c", "0x040300")}
FIELDS = ("vendor", "device", "subsystem_vendor", "subsystem_device", "class")


def put_device(system, address, ids):
    """A device behind the card's port, with the file that a reservation is written to."""
    place = f"../devices/pci0000:00/0000:00:01.0/{address}"
    for field, value in zip(FIELDS, ids):
        system.write(f"{place}/{field}", value + "\n")
    system.write(f"{place}/driver_override", "(null)\n")
    system.write(f"{place}/uevent", "")
    if not os.path.lexists(system.path(f"{place}/subsystem")):
        os.symlink("/sys/bus/pci", system.path(f"{place}/subsystem"))
    return f"{place}/driver_override"


def udev_reserves(system, address):
    """Does udev itself, with the tree's rules and no other, reserve the device that is there now?
    It says what it would write, and writes nothing."""
    rules = system.path("etc/udev/rules.d")
    said = system.run("udevadm", "test", "--action=add",
                      f"/sys/devices/pci0000:00/0000:00:01.0/{address}",
                      binds=[(rules, "/etc/udev/rules.d"), (rules, "/usr/lib/udev/rules.d"),
                             (os.path.join(system.work, "devices"), "/sys/devices")],
                      env={"SYSTEMD_DEVICE_VERIFY_SYSFS": "0"})
    return re.search(r"driver_override *: *vfio-pci", said) is not None


def udev_reserves_the_card_on_any_bus_and_no_other(system):
    debian(system)
    system.setup("--device", CARD, "--apply")
    put_device(system, ".", IDS[CARD])  # the port itself
    assert not udev_reserves(system, ".")
    for bus in ("01", "2f", "ff"):
        for address, function in ((CARD, 0), (SOUND, 1)):
            put_device(system, f"0000:{bus}:00.{function}", IDS[address])
            assert udev_reserves(system, f"0000:{bus}:00.{function}"), (bus, function)
    # Deeper, in another slot, behind another port, and what only looks like it.
    for address in ("0000:01:00.0/0000:02:00.0", "0000:01:01.0", "0000:01:00.2",
                    "../0000:00:01.1/0000:01:00.0", "../../pci0000:01/0000:01:00.0"):
        put_device(system, address, IDS[CARD])
        assert not udev_reserves(system, address), address
    for changed in range(len(FIELDS)):
        ids = list(IDS[CARD])
        ids[changed] = "0x9999"
        put_device(system, f"0000:{changed:02x}:00.0", ids)
        assert not udev_reserves(system, f"0000:{changed:02x}:00.0"), ids


def install_command(system):
    """What modprobe makes of the file: the drivers that wait, and the command."""
    shown = system.run("modprobe", "--showconfig", "--config", system.path("etc/modprobe.d"))
    waiting = re.findall(r"^softdep (\S+) pre: vfio-pci", shown, re.M)
    return waiting, re.search(r"^install vfio_pci (.*)$", shown, re.M).group(1)


def run_install(system, line):
    """Does what modprobe does. dash is as little of a shell as an initramfs may have."""
    command_line = system.write("../cmdline", line + "\n")
    said = system.run("dash", "-c", install_command(system)[1],
                      path=os.path.join(system.work, "bin"),
                      binds=[(command_line, "/proc/cmdline"),
                             (os.path.join(system.work, "devices"), "/sys/devices")],
                      env={"CMDLINE_OPTS": "ids=1"})
    assert said == "modprobe --ignore-install vfio-pci ids=1\n", said


def what_modprobe_runs_reserves_the_card_and_no_other(system):
    debian(system)
    system.write("etc/initramfs-tools/modules", "nvidia\nsnd-hda-intel\n")
    system.write("../bin/modprobe", "#!/bin/sh\necho modprobe \"$@\"\n", 0o755)
    for args, line, reserved in (((), "quiet", True), (("--entry",), "quiet", False),
                                 (("--entry",), "a portal.vfio=1 b", True)):
        system.setup("--device", CARD, *args, "--apply")
        waiting, _ = install_command(system)
        # The card's driver, and those of its kind that are loaded by name.
        assert sorted(waiting) == ["nouveau", "nvidia", "snd_hda_intel"], waiting
        # Its bus has another number now, and its sound function is another one's.
        card = put_device(system, "0000:2f:00.0", IDS[CARD])
        for changed in range(len(FIELDS)):
            ids = list(IDS[SOUND])
            ids[changed] = "0x9999"
            sound = put_device(system, "0000:2f:00.1", ids)
            run_install(system, line)
            assert system.read(card) == ("vfio-pci\n" if reserved else "(null)\n"), (args, line)
            assert system.read(sound) == "(null)\n", ids
        shutil.rmtree(os.path.join(system.work, "devices"))
        system.setup("--undo")


def what_modprobe_runs_reserves_nothing_where_no_device_or_several_fit(system):
    debian(system)
    system.write("etc/initramfs-tools/modules", "nvidia\n")
    system.write("../bin/modprobe", "#!/bin/sh\necho modprobe \"$@\"\n", 0o755)
    system.setup("--device", CARD, "--apply")
    # One that is deeper, and one behind another port.
    others = [put_device(system, "0000:01:01.0/0000:02:00.0", IDS[CARD]),
              put_device(system, "../0000:00:01.1/0000:01:00.0", IDS[CARD])]
    run_install(system, "quiet")
    others += [put_device(system, f"0000:{bus}:00.0", IDS[CARD]) for bus in ("01", "02")]
    run_install(system, "quiet")
    assert [system.read(other) for other in others] == ["(null)\n"] * 4


def udev_s_match_and_modprobe_s_mean_the_same(system):
    """One way to the device is in both, and the part that is open in it is a bus number."""
    debian(system)
    system.write("etc/initramfs-tools/modules", "nvidia\n")
    system.setup("--device", CARD, "--apply")
    rules = system.read("etc/udev/rules.d/60-portal-vfio.rules")
    ways = re.findall(r'DEVPATH=="([^"]*)"', rules)
    assert ways == re.findall(r' /sys(/devices/\S+);', install_command(system)[1]), ways
    assert len(ways) == 2 and all(way.count("?") == 2 and "*" not in way for way in ways), ways


def systemd_reads_its_units_and_sysctl_its_file(system):
    debian(system)
    system.setup("--hugepages", "256", "--hugepages-1g", "2", "--zram", "--audio", "root",
                 "--apply")
    system.run("systemd-analyze", "verify",
               system.path("etc/systemd/system/dev-hugepages1G.mount"))
    shown = system.run("systemd-analyze", "cat-config", "--root", system.root,
                       "systemd/zram-generator.conf")
    assert "zram-size = min(ram / 4, 8192)" in shown, shown
    shown = system.run("sysctl", "--dry-run", "-p",
                       system.path("etc/sysctl.d/60-portal-hugepages.conf"))
    assert shown == "vm.nr_hugepages = 256\n", shown
    system.run("systemd-tmpfiles", "--root", system.root, "--create", "portal-audio.conf")
    status = os.stat(system.path("run/portal-audio"))
    assert status.st_mode & 0o7777 == 0o750 and status.st_gid != 0, status


def initramfs_generators_take_driver_and_rules_along(system):
    debian(system)
    system.setup("--device", CARD, "--apply")
    os.mkdir(os.path.join(system.work, "image"))
    functions = system.write("../functions", "force_load() { echo load \"$@\"; }\n")
    os.makedirs(system.path("usr/share/initramfs-tools"))
    hook = system.read("etc/initramfs-tools/hooks/portal-vfio").replace(
        "/usr/share/initramfs-tools/hook-functions", functions)
    said = system.run("dash", "-c", hook, binds=[(system.path("etc/udev"), "/etc/udev")],
                      env={"DESTDIR": os.path.join(system.work, "image")})
    assert said == "load vfio-pci\n", said
    assert system.read("../image/etc/udev/rules.d/60-portal-vfio.rules") == \
        system.read("etc/udev/rules.d/60-portal-vfio.rules")
    assert system.run(system.path("etc/initramfs-tools/hooks/portal-vfio"), "prereqs") == ""
    system.setup("--undo")
    os.unlink(system.path("etc/initramfs-tools/modules"))
    os.rmdir(system.path("etc/initramfs-tools"))

    # dracut and mkinitcpio read shell, one file after the other.
    system.write("etc/dracut.conf", "force_drivers+=\" nouveau \"\n")
    system.setup("--device", CARD, "--apply")
    said = system.run("bash", "-c", f". {system.path('etc/dracut.conf')}; "
                      f". {system.path('etc/dracut.conf.d/portal-vfio.conf')}; "
                      "echo $force_drivers; echo $install_items")
    assert said == ("nouveau vfio-pci\n/etc/udev/rules.d/60-portal-vfio.rules "
                    "/etc/modprobe.d/portal-vfio.conf\n"), said
    system.setup("--undo")
    os.unlink(system.path("etc/dracut.conf"))

    system.write("etc/mkinitcpio.conf", "MODULES=(ext4 nouveau)\nFILES=(/etc/x)\n")
    system.setup("--device", CARD, "--apply")
    said = system.run("bash", "-c", f". {system.path('etc/mkinitcpio.conf')}; "
                      f". {system.path('etc/mkinitcpio.conf.d/portal-vfio.conf')}; "
                      "echo ${MODULES[@]}; echo ${FILES[@]}")
    assert said == ("vfio-pci ext4 nouveau\n/etc/x /etc/udev/rules.d/60-portal-vfio.rules "
                    "/etc/modprobe.d/portal-vfio.conf\n"), said


def a_kernel_that_comes_to_fedora_brings_its_entry_along(system):
    system.write("etc/dracut.conf", "")
    system.write("etc/grub.d/10_linux", "#!/bin/sh\n", 0o755)
    system.write("etc/grub2.cfg", "")
    system.write("etc/default/grub", "GRUB_ENABLE_BLSCFG=true\nGRUB_CMDLINE_LINUX=\"rhgb\"\n")
    entry = "boot/loader/entries/1f-{}.conf"
    system.write(entry.format("6.17.1"), "title F\noptions root=UUID=1 ro rhgb\n")
    system.setup("--device", CARD, "--entry", "--apply")
    assert "iommu=pt" in system.read(entry.format("6.17.1"))
    plugin = system.path("etc/kernel/install.d/99-portal-vfio.install")
    system.write("../bin/grub2-mkconfig", "#!/bin/sh\necho made \"$@\"\n", 0o755)
    # While the machine runs from our entry, kernel-install copies /proc/cmdline.
    system.write(entry.format("6.17.2"), "title F\noptions root=UUID=1 ro portal.vfio=1 rhgb\n")
    where = {"path": os.path.join(system.work, "bin"), "binds": [(system.path("boot"), "/boot")]}
    assert system.run(plugin, "add", "6.17.2", "/x", "/y", **where) == "made -o /etc/grub2.cfg\n"
    assert system.read(entry.format("6.17.2")) == "title F\noptions root=UUID=1 ro rhgb\n"
    assert system.run(plugin, "remove", "6.17.1", "/x", **where) == "made -o /etc/grub2.cfg\n"
    assert system.run(plugin, "inspect", **where) == ""


def a_kernel_that_comes_to_systemd_boot_brings_its_entry_along(system):
    system.write("etc/mkinitcpio.conf", "MODULES=()\n")
    system.write("usr/lib/kernel/install.d/90-loaderentry.install", "#!/bin/sh\n", 0o755)
    entry = "efi/loader/entries/1f-{}.conf"
    for name in ("6.17.1", "6.17.1+"):
        system.write(entry.format(name), "title Deb\noptions root=UUID=1 ro\n")
    system.setup("--device", CARD, "--entry", "--apply")
    plugin = system.path("etc/kernel/install.d/99-portal-vfio.install")
    env = {"KERNEL_INSTALL_BOOT_ROOT": system.path("efi")}
    options = "options root=UUID=1 ro intel_iommu=on iommu=pt"
    system.write(entry.format("6.17.2"), f"title Deb\n{options} portal.vfio=1\n")
    # systemd-boot counts the tries of some.
    for name in ("6.17.3+3", "6.17.4+2-1", "6.17.4+deb14-amd64", "6.17.5+deb14-amd64+3"):
        system.write(entry.format(name), f"title Deb\n{options}\n")
    system.write(entry.format("6.17.4+3-amd64"), "title Other\noptions root=UUID=2 ro\n")
    kernels = ("6.17.4+deb14-amd64", "6.17.5+deb14-amd64", "6.17.2", "6.17.3", "6.17.4")
    for kernel in kernels:
        assert system.run(plugin, "add", kernel, "/x", "/y", env=env) == ""
        copy = system.read(entry.format(kernel + "-portal"))
        assert copy.startswith("title Deb (devices for VMs)\noptions root=UUID=1 ro "), copy
        assert copy.endswith(" portal.vfio=1\n") and copy.count("portal.vfio=1") == 1, copy
        # setup --undo wants to find the copy as it made it.
        assert copy == system.read(entry.format("6.17.1-portal")), copy
    copies = {name for name in os.listdir(system.path("efi/loader/entries")) if "portal" in name}
    assert copies == {f"1f-{kernel}-portal.conf" for kernel in (*kernels, "6.17.1", "6.17.1+")}
    assert system.read(entry.format("6.17.2")) == f"title Deb\n{options}\n"
    # The one that goes takes its copy along, whoever made that.
    os.unlink(system.path(entry.format("6.17.1")))
    assert system.run(plugin, "remove", "6.17.1", "/x", env=env) == ""
    assert not os.path.exists(system.path(entry.format("6.17.1-portal")))
    said = system.setup("--undo")
    assert "1f-6.17.1.conf was removed meanwhile, and stays so" in said, said
    assert "1f-6.17.2-portal.conf was made since, for a new kernel: remove it" in said, said


TESTS = [
    grub_s_menu_gets_an_entry_for_each_kernel_that_leaves_the_card_out,
    udev_reads_the_rules,
    udev_reserves_the_card_on_any_bus_and_no_other,
    what_modprobe_runs_reserves_the_card_and_no_other,
    what_modprobe_runs_reserves_nothing_where_no_device_or_several_fit,
    udev_s_match_and_modprobe_s_mean_the_same,
    systemd_reads_its_units_and_sysctl_its_file,
    initramfs_generators_take_driver_and_rules_along,
    a_kernel_that_comes_to_fedora_brings_its_entry_along,
    a_kernel_that_comes_to_systemd_boot_brings_its_entry_along,
]

sentences.run_each(TESTS, sys.argv[2:], functools.partial(System, sys.argv[1]))

"""A disk with a whole Debian system on it, as an installer leaves one before its boot loader, and a
machine that starts from it: UEFI, a disk of two partitions, a shell on a virtio port.
"""

import os
import subprocess

from hostmachine import Host

MIB = 1 << 20
ESP_AT, ESP_SIZE = 1 * MIB, 512 * MIB
ROOT_AT, ROOT_SIZE = ESP_AT + ESP_SIZE, 3072 * MIB

# Emulated ticks come late on a busy machine, which the kernel takes for a broken timer.
WORDS = "quiet console=ttyS0 console=tty0 no_timer_check"

UNIT = """[Unit]
Description=Shell of the test
BindsTo=dev-virtio\\x2dports-shell.device
After=dev-virtio\\x2dports-shell.device

[Service]
ExecStart=/usr/local/sbin/test-shell
StandardOutput=null
KillMode=mixed
"""

# Answers each line with its output and "@@ STATUS", as tests/host/init does it.
SHELL = """#!/bin/bash
export HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
exec 3<>/dev/virtio-ports/shell
exec <&3 >&3 2>&1 3>&-
systemctl is-system-running --wait >/dev/null
echo "@@ ready"
while read -r line; do
	eval "$line" </dev/null
	echo "@@ $?"
done
"""

# A network card's driver is in the initramfs of most systems, where udev loads it.
NETWORK_HOOK = """#!/bin/sh
[ "$1" = prereqs ] && exit
. /usr/share/initramfs-tools/hook-functions
manual_add_modules e1000e
"""

FSTAB = """/dev/vda2 / ext4 errors=remount-ro 0 1
/dev/vda1 /boot/efi vfat umask=0077 0 1
"""


def tree():
    return os.environ["PORTAL_BOOT_TREE"]


def run_of_tree(program, *args, **options):
    """Runs a program of the tree that the development root has not, with the tree's libraries."""
    libraries = os.path.join(tree(), "usr/lib/x86_64-linux-gnu")
    subprocess.run(
        [os.path.join(libraries, "ld-linux-x86-64.so.2"), "--library-path", libraries,
         os.path.join(tree(), program), *args], check=True, capture_output=True, **options)


def put_files(disk, files):
    """Makes files {path: (bytes, mode)}, links {path: target} and directories {path/: None} in the
    disk's root file system."""
    work = os.path.dirname(disk)
    lines = []
    for number, (path, content) in enumerate(files.items()):
        lines += [f"mkdir {parent}" for parent in directories(path)]
        if content is None:
            continue
        if isinstance(content, str):
            lines.append(f"symlink {path} {content}")
            continue
        source = os.path.join(work, f"file-{number}")
        with open(source, "wb") as file:
            file.write(content[0])
        lines += [f"rm {path}", f"write {source} {path}",
                  f"set_inode_field {path} mode 0{0o100000 | content[1]:o}",
                  f"set_inode_field {path} uid 0", f"set_inode_field {path} gid 0"]
    script = os.path.join(work, "script")
    with open(script, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    # It complains about directories that are there, and goes on.
    subprocess.run(["debugfs", "-w", "-f", script, f"{disk}?offset={ROOT_AT}"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def directories(path):
    """The directories that lead to a path, outermost first."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[:count + 1]) for count in range(len(parts))]


def make(disk, programs):
    """programs: {path in the machine: path here}."""
    with open(disk, "wb") as file:
        file.truncate(ROOT_AT + ROOT_SIZE + MIB)
    table = (f"label: gpt\nstart={ESP_AT >> 9}, size={ESP_SIZE >> 9}, type=uefi\n"
             f"start={ROOT_AT >> 9}, size={ROOT_SIZE >> 9}, type=linux\n")
    run_of_tree("usr/sbin/sfdisk", "--quiet", disk, input=table.encode())
    run_of_tree("usr/sbin/mkfs.vfat", "-F", "32", "-n", "ESP", "--offset", str(ESP_AT >> 9), disk,
                str(ESP_SIZE >> 10))
    subprocess.run(
        ["mkfs.ext4", "-q", "-m", "0", "-L", "root", "-d", tree(), "-E", f"offset={ROOT_AT}", disk,
         f"{ROOT_SIZE >> 10}k"], check=True)
    files = {
        "/boot/efi/": None,
        "/etc/fstab": (FSTAB.encode(), 0o644),
        "/etc/hostname": (b"host\n", 0o644),
        # An emulated processor collects, compresses and loads hundreds of modules slowly.
        "/etc/initramfs-tools/conf.d/small": (b"COMPRESSLEVEL=1\nMODULES=dep\n", 0o644),
        "/etc/initramfs-tools/hooks/network": (NETWORK_HOOK.encode(), 0o755),
        "/etc/machine-id": (b"5b0c3c7ee7f24d0a9ac1e6d7f0f3a1b2\n", 0o444),
        "/usr/local/sbin/test-shell": (SHELL.encode(), 0o755),
        "/etc/systemd/system/test-shell.service": (UNIT.encode(), 0o644),
        "/etc/systemd/system/multi-user.target.wants/test-shell.service": "../test-shell.service",
    }
    for path, source in programs.items():
        with open(source, "rb") as file:
            files[path] = (file.read(), 0o755)
    put_files(disk, files)


class DiskMachine(Host):
    """A machine of Intel's kind that starts from the disk; with `kernel`, from the tree's kernel and
    initramfs, as long as the disk has no boot loader. It is one machine for all of its boots."""

    def __init__(self, work, disk, devices, *, kernel=False):
        variables = os.path.join(work, "variables.fd")
        firmware = os.path.join(tree(), "usr/share/OVMF/OVMF_{}_4M.fd")
        if not os.path.exists(variables):
            with open(os.path.realpath(firmware.format("VARS")), "rb") as source, \
                    open(variables, "wb") as copy:
                copy.write(source.read())
        arguments = [
            "-accel", "tcg", "-M", "q35,kernel-irqchip=split,smm=off",
            "-cpu", "max,vendor=GenuineIntel,family=6,model=94,stepping=3", "-smp", "2",
            "-m", "4096", "-nodefaults", "-no-user-config", "-display", "none",
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={firmware.format('CODE')}",
            "-drive", f"if=pflash,unit=1,format=raw,file={variables}",
            "-device", "intel-iommu,intremap=on,caching-mode=on",
            "-drive", f"if=none,id=disk,format=raw,cache=unsafe,file={disk}",
            "-device", "virtio-blk-pci,drive=disk,bus=pcie.0,addr=0xb",
        ]
        if kernel:
            boot = os.path.join(tree(), "boot")
            version, = os.listdir(os.path.join(tree(), "usr/lib/modules"))
            arguments += [
                "-kernel", os.path.join(boot, f"vmlinuz-{version}"),
                "-initrd", os.path.join(boot, f"initrd.img-{version}"),
                "-append", "root=/dev/vda2 ro " + WORDS]
        for device in devices:
            arguments += ["-device", device]
        super().__init__(work, arguments)

    def reboot(self):
        """Shuts the system down and waits until it has come up again."""
        self.send("systemctl --no-block reboot")
        while self.read_answer()[1] != "ready":
            pass

    def power_off(self):
        self.send("systemctl --no-block poweroff")
        self.process.wait()

"""portal-hostd finds what udev's events would have told, when the kernel had no room for them.

lost_events.py PORTAL-HOSTD: in a network namespace of its own, where this test is udev.
"""

import contextlib
import ctypes
import os
import signal
import socket
import struct
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools", "lib"))

from portalvm import varlink, wait  # noqa: E402, pylint: disable=wrong-import-position

HOSTD = os.path.realpath(sys.argv[1])
NETLINK_KOBJECT_UEVENT = 15
UDEV_GROUP = 2
POLICY = "assign usb to controllers\ncontroller test\n"


def enter_namespaces():
    """Alone on a netlink of its own, and with a /run where udev seems to be."""
    uid, gid = os.geteuid(), os.getegid()
    os.unshare(os.CLONE_NEWNET | os.CLONE_NEWNS | (0 if uid == 0 else os.CLONE_NEWUSER))
    if uid != 0:
        for name, text in (
                ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    libc = ctypes.CDLL(None, use_errno=True)
    private, recursive = 1 << 18, 1 << 14
    for arguments in ((b"none", b"/", None, private | recursive, None),
                      (b"tmpfs", b"/run", b"tmpfs", 0, None)):
        if libc.mount(*arguments) < 0:
            raise OSError(ctypes.get_errno(), "mount", arguments[1].decode())
    os.mkdir("/run/udev")
    with open("/run/udev/control", "w", encoding="ascii"):
        pass  # libsystemd asks whether it is there


def murmur(text):
    """The hash by which the kernel sorts udev's events for who listens (MurmurHash2, seed 0)."""
    data, factor, mask = text.encode(), 0x5BD1E995, 0xFFFFFFFF
    value = len(data)
    whole = len(data) // 4 * 4
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        word = word * factor & mask
        word = (word ^ word >> 24) * factor & mask
        value = (value * factor & mask) ^ word
    if data[whole:]:
        value = (value ^ int.from_bytes(data[whole:], "little")) * factor & mask
    value = (value ^ value >> 13) * factor & mask
    return value ^ value >> 15


def event():
    """One about a PCI device, whose properties are not where it says: nobody reads more of it.
    Large, since libsystemd asks for room for 128 MiB of them.
    """
    size = 40
    return struct.pack("=8s", b"libudev") + struct.pack(">I", 0xFEEDCAFE) + struct.pack(
        "=III", size, 1 << 20, 0) + struct.pack(">IIII", murmur("pci"), 0, 0, 0) + bytes(60 << 10)


def listeners():
    """How many events were dropped for each socket that hears udev's, in this namespace."""
    with open("/proc/net/netlink", encoding="ascii") as file:
        next(file)
        rows = [line.split() for line in file]
    # sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
    return [int(row[8]) for row in rows
            if row[1] == str(NETLINK_KOBJECT_UEVENT) and int(row[3], 16) & UDEV_GROUP]


def add_device(root, name, device_class):
    path = os.path.join(root, "sys/devices/pci0000:00", name)
    os.makedirs(path)
    attributes = {
        "vendor": "0x1b21", "device": "0x2142", "subsystem_vendor": "0x1043",
        "subsystem_device": "0x8675", "class": device_class, "revision": "0x00", "boot_vga": "0",
        "resource": ""}
    for attribute, value in attributes.items():
        with open(os.path.join(path, attribute), "w", encoding="ascii") as file:
            file.write(value + "\n")
    bus = os.path.join(root, "sys/bus/pci/devices")
    os.makedirs(bus, exist_ok=True)
    os.symlink(f"../../../devices/pci0000:00/{name}", os.path.join(bus, name))


def start(work, root):
    config = os.path.join(work, "host.scfg")
    with open(config, "w", encoding="utf-8") as file:
        file.write(POLICY)
    return wait.start(
        [HOSTD, "--root", root, "--config", config, "--state", os.path.join(work, "state"),
         "--socket", os.path.join(work, "hostd"), "--uri", "test:///default"], "portal-hostd")


def addresses(path):
    said = varlink.call(path, "org.portal.Host.ListAssignments")
    return [entry["address"] for entry in said["devices"]]


def events_that_were_lost_are_made_good_by_looking(finish, work):
    root, path = os.path.join(work, "root"), os.path.join(work, "hostd")
    add_device(root, "0000:00:1c.0", "0x060400")
    process, log = start(work, root)
    finish.callback(wait.stop, process)
    finish.callback(process.send_signal, signal.SIGCONT)
    log.for_text(b"answers")  # its socket is there before it listens
    states = varlink.stream(path, "org.portal.Host.GetState")
    changes = next(said["deviceChanges"] for said in states if said["deviceChanges"] > 0)
    assert addresses(path) == ["0000:00:1c.0"]

    # It does not get to read. What it finds then is no event that could be read, and the loss.
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    assert listeners() == [0], listeners()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as udev:
        while listeners() == [0]:
            udev.sendto(event(), (0, UDEV_GROUP))
    add_device(root, "0000:02:00.0", "0x0c0330")
    process.send_signal(signal.SIGCONT)
    next(said for said in states if said["deviceChanges"] > changes)
    assert addresses(path) == ["0000:00:1c.0", "0000:02:00.0"]
    log.for_text(b"udev's events were lost")


def main():
    enter_namespaces()
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as finish:
        events_that_were_lost_are_made_good_by_looking(finish, work)
    print("ok - events_that_were_lost_are_made_good_by_looking")


main()

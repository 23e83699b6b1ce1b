"""A user of the host who may do nothing there tries to be in the way of those who may.

hostile_user.py PORTAL-HOSTD: as root. Polkit is one that never answers.
"""

import contextlib
import functools
import json
import os
import socket
import sys
import tempfile
import threading

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "harness"))
sys.path.insert(0, os.path.join(TOP, "tools", "lib"))

from portaltest import sentences  # noqa: E402, pylint: disable=wrong-import-position
from portalvm import varlink, wait  # noqa: E402, pylint: disable=wrong-import-position

NOBODY = 65534


class User:
    """Connects where it is told to, and hands the connections over: they stay that user's."""

    def __init__(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            self._serve(theirs)
            os._exit(0)
        theirs.close()
        self.connection = ours

    @staticmethod
    def _serve(connection):
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        while path := connection.recv(4096):
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(path)
                socket.send_fds(connection, [b"x"], [link.fileno()])

    def connect(self, path):
        self.connection.send(path.encode())
        descriptor = socket.recv_fds(self.connection, 1, 1)[1][0]
        link = socket.socket(fileno=descriptor)
        link.settimeout(wait.PATIENCE)
        return link


# Made before there are threads; it ends with this process's end of the connection.
USER = User()


def make_root(work):
    """A machine with a card, and a process that has it open and calls itself what is no text."""
    root = os.path.join(work, "root")
    card = "sys/devices/pci0000:00/0000:00:02.0"
    for name, text in {
            "vendor": b"0x8086", "device": b"0x4c8a", "class": b"0x030000",
            "drm/card0/uevent": b"DEVNAME=dri/card0"}.items():
        path = os.path.join(root, card, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text + b"\n")
    for name, target in (
            ("sys/bus/pci/devices/0000:00:02.0", f"../../../../{card}"),
            ("sys/class/drm/card0", f"../../../{card}/drm/card0"),
            ("proc/4711/fd/3", "/dev/dri/card0")):
        os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
        os.symlink(target, os.path.join(root, name))
    with open(os.path.join(root, "proc/4711/comm"), "wb") as file:
        file.write(b"x\xff\n")
    return root


class Scene:
    def __init__(self, program, work):
        os.chmod(work, 0o755)
        self.path = os.path.join(work, "hostd")
        config, bus = os.path.join(work, "host.scfg"), os.path.join(work, "bus")
        with open(config, "w", encoding="utf-8") as file:
            file.write("controller test\n")
        self.bus = socket.socket(socket.AF_UNIX)
        self.bus.bind(bus)
        self.bus.listen()
        self.process, self.log = wait.start(
            [program, "--config", config, "--state", os.path.join(work, "state"), "--socket",
             self.path, "--uri", "test:///default", "--root", make_root(work)], "portal-hostd",
            env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={bus}"))
        self.log.for_text(b"libvirt at")

    def close(self):
        wait.stop(self.process)
        self.bus.close()

    def connect(self):
        return USER.connect(self.path)

    def state(self):
        """Asked by root."""
        return varlink.call(self.path, "org.portal.Host.GetState")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def message(method, **call):
    return json.dumps({"method": f"org.portal.Host.{method}", **call}).encode() + b"\0"


def answer(link):
    text = b""
    while not text.endswith(b"\0"):
        data = link.recv(65536)
        assert data, "the daemon hung up"
        text += data
    return json.loads(text[:-1])


def orders_of_who_has_gone_are_dropped(scene):
    before = scene.descriptors()
    for _ in range(50):
        with scene.connect() as link:
            # It is read in one piece, and so polkit is asked.
            link.sendall(message("GetState") + message("Reload"))
            answer(link)
    scene.state()
    assert scene.descriptors() < before + 25, scene.descriptors()
    assert b"reload" not in scene.log.text, scene.log.text


def who_is_asked_about_is_told_when_the_bus_goes(scene):
    scene.bus.settimeout(wait.PATIENCE)
    for _ in range(2):  # each time it is connected to anew
        with scene.connect() as link:
            link.sendall(message("Reload"))
            bus, _ = scene.bus.accept()
            scene.state()
            bus.close()
            said = answer(link)
            assert said["error"].endswith(".NotAuthorized"), said
            assert "polkit is not there" in said["parameters"]["reason"], said


def orders_that_want_no_answer_end_the_connection(scene):
    with scene.connect() as link:
        link.sendall(message("Reload", oneway=True) * 100)
        with contextlib.suppress(ConnectionError):
            assert link.recv(1) == b""
    assert b"reload" not in scene.log.text, scene.log.text


def who_calls_without_end_waits_and_nobody_else(scene):
    with scene.connect() as link:
        def write():
            with contextlib.suppress(OSError):
                link.sendall(message("ListAssignments") * 20000)

        writer = threading.Thread(target=write)
        writer.start()
        scene.log.for_text(b"users other than root call more often")
        for _ in range(50):
            assert scene.state()["vms"][0]["state"] == "running"
        assert writer.is_alive()
        link.shutdown(socket.SHUT_RDWR)
        writer.join()


def a_user_has_only_so_many_connections(scene):
    before = scene.descriptors()
    with contextlib.ExitStack() as links:
        refused = 0
        for _ in range(100):
            link = links.enter_context(scene.connect())
            try:
                link.sendall(message("GetState"))
                answer(link)
            except (AssertionError, ConnectionError):
                refused += 1
        assert refused == 100 - 64, refused
        scene.state()
    # They are his again when he has closed some, and the daemon has seen that: of half of them.
    while scene.descriptors() > before + 32:
        scene.state()
    with scene.connect() as link:
        link.sendall(message("GetState"))
        answer(link)


def a_name_that_is_cut_in_the_middle_of_a_letter_is_refused_like_others(scene):
    for length in range(240, 260):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(wait.PATIENCE)
            link.connect(scene.path)
            name = "x" * (length % 4) + "\u20ac" * length
            link.sendall(message("StartGuest", parameters={"guest": name}))
            said = answer(link)
            assert said["error"].startswith("org.portal.Host."), said
            assert "reason" in said["parameters"], said


def whatever_a_process_calls_itself_it_can_be_told(scene):
    states = varlink.stream(scene.path, "org.portal.Host.GetState")
    next(said for said in states if said["deviceChanges"] > 0)
    with scene.connect() as link:
        link.sendall(message("ListDevices"))
        device, = answer(link)["parameters"]["devices"]
        assert [holder["name"] for holder in device["holders"]] == ["x?"], device["holders"]
    scene.state()


TESTS = [
    orders_of_who_has_gone_are_dropped,
    who_is_asked_about_is_told_when_the_bus_goes,
    orders_that_want_no_answer_end_the_connection,
    who_calls_without_end_waits_and_nobody_else,
    a_user_has_only_so_many_connections,
    a_name_that_is_cut_in_the_middle_of_a_letter_is_refused_like_others,
    whatever_a_process_calls_itself_it_can_be_told,
]


def in_scene(test):
    @functools.wraps(test)
    def run():
        with tempfile.TemporaryDirectory() as work:
            with contextlib.closing(Scene(os.path.realpath(sys.argv[1]), work)) as scene:
                test(scene)

    return run


sentences.run([in_scene(test) for test in TESTS], sys.argv[2:])

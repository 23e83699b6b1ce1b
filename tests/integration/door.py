"""A controller VM asks its host: portal-run on one side, portal-door on the other, between them what
QEMU makes of a virtio-serial port, and behind the door one who answers as portal-hostd does.

door.py [TEST...]
"""

import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import threading

from portaltest import case, programs
from portaltest.bridge import heap_in_buffers
from portaltest.deadline import until
from portaltest.process import strays
from portaltest.session import Session

DOOR = programs.built("host-vfio/door/portal-door")
KEY = "0123456789abcdef" * 4


class Port:
    """A virtio-serial port between two unix sockets: the host's end stays, as QEMU's does, while
    users of the guest's end come and go; what comes while nobody is there is lost."""

    def __init__(self, directory):
        self.paths = {end: os.path.join(directory, f"port-{end}") for end in ("host", "guest")}
        self.heard = b""  # all that came from the guest's end
        self._ends = {}
        self._stop, self._stopped = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stopped, selectors.EVENT_READ, None)
        for end, path in self.paths.items():
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen()
            self._selector.register(listener, selectors.EVENT_READ, ("listener", end))
        self._thread = threading.Thread(target=self._pump)
        self._thread.start()

    def _pump(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                kind, end = key.data
                if kind == "listener":
                    self._accept(key.fileobj, end)
                else:
                    self._pass_on(key.fileobj, end)

    def _accept(self, listener, end):
        stream, _ = listener.accept()
        self._drop(end)
        self._ends[end] = stream
        self._selector.register(stream, selectors.EVENT_READ, ("stream", end))

    def _drop(self, end):
        stream = self._ends.pop(end, None)
        if stream:
            self._selector.unregister(stream)
            stream.close()

    def _pass_on(self, stream, end):
        try:
            data = stream.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self._drop(end)
            return
        other = self._ends.get("guest" if end == "host" else "host")
        if other:
            try:
                other.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
        if end == "guest":
            self.heard += data

    def close(self):
        self._stop.send(b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._stop.close()
        self._selector.close()


class Host:
    """Answers org.portal.Door on one end of each of two socket pairs. `answers` has a function for
    each method: it takes the parameters and returns a reply, or raises Refusal."""

    class Refusal(Exception):
        pass

    def __init__(self):
        self.answers = {}
        self.calls = []
        self.pairs = [socket.socketpair() for _ in range(2)]
        self._threads = [threading.Thread(target=self._serve, args=(here,))
                         for here, _ in self.pairs]
        for thread in self._threads:
            thread.start()

    def _serve(self, here):
        data = b""
        while True:
            try:
                received = here.recv(65536)
            except OSError:
                return
            if not received:
                return
            *messages, data = (data + received).split(b"\0")
            for message in messages:
                self._answer(here, json.loads(message))

    def _answer(self, here, call):
        name = call["method"].removeprefix("org.portal.Door.")
        parameters = call.get("parameters", {})
        self.calls.append((name, parameters))
        try:
            reply = {"parameters": self.answers[name](parameters) or {}}
        except Host.Refusal as refusal:
            error, reason = refusal.args
            reply = {"error": f"org.portal.Door.{error}", "parameters": {"reason": reason}}
        here.sendall(json.dumps(reply).encode() + b"\0")

    def close(self):
        for (here, there), thread in zip(self.pairs, self._threads):
            here.shutdown(socket.SHUT_RDWR)
            thread.join()
            here.close()
            there.close()


class Scene:
    """A controller with one guest, its host, and the door between them."""

    def __init__(self, session):
        self.session = session
        self.port = Port(session.directory)
        self.host = Host()
        self.states = {"mail": "off"}
        self.host.answers = {
            "ListGuests": lambda _: {
                "guests": [
                    {"name": name, "state": state, "heapSize": 1 << 28}
                    for name, state in self.states.items()
                ]
            }
        }
        self.key = self._write(session.directory, "key", KEY)
        self._write(os.path.join(session.home, ".local/share/portal"), "@door.key", KEY)
        self.configure(f"door:virtio-serial:{self.port.paths['guest']}")
        self.door = self.start_door(f"virtio-serial:{self.port.paths['host']}", "--key", self.key)

    @staticmethod
    def _write(directory, name, text):
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        return path

    def configure(self, uri):
        guests = f"\turi {uri}\n\ttransport unix:{self.session.directory}/agent\n\theap memfd:\n"
        text = f'vm post {{\n\tdomain mail\n\tlabel "Post" "#123456"\n{guests}}}\n'
        text += f"vm absent {{\n{guests}}}\n"
        self._write(os.path.join(self.session.home, ".config/portal"), "portal.scfg", text)

    def start_door(self, transport, *options):
        command = [DOOR, "--controller", "work", "--transport", transport, "--connections", "2",
                   *options]
        # Numbers that are neither 3 nor 4 themselves.
        numbers = [fcntl.fcntl(there.fileno(), fcntl.F_DUPFD, 10) for _, there in self.host.pairs]
        for number in numbers:
            os.set_inheritable(number, True)
        moves = f"3<&{numbers[0]} 4<&{numbers[1]} {numbers[0]}<&- {numbers[1]}<&-"
        door = self.session.start(
            "portal-door", ["bash", "-c", f'exec "$@" {moves}', "bash", *command],
            pass_fds=numbers,
        )
        for number in numbers:
            os.close(number)
        return door

    def run(self, *arguments, env=None):
        process = self.session.start("portal-run", [programs.RUN, *arguments], env)
        process.close_input()
        return process.wait_exit(), process

    def expect(self, status, message, *arguments, **options):
        got, process = self.run(*arguments, **options)
        assert got == status, f"status {got}, not {status}\n{process.details()}"
        assert message in process.log(), f"no {message!r}:\n{process.details()}"

    def list(self):
        status, process = self.run("--list", "--json")
        assert status == 0, process.details()
        rows = json.loads("\n".join(process.drain()))
        return {row["name"]: row.get("domain") for row in rows}

    def close(self):
        self.host.close()
        self.port.close()


def door_test(function):
    def run():
        session = Session(f"door-{function.__name__}", case.results_directory("door"))
        scene, failed = None, True
        try:
            scene = Scene(session)
            function(scene)
            failed = False
        except AssertionError:
            print(session.details(), file=sys.stderr)
            raise
        finally:
            if scene:
                scene.close()
            session.finish(failed)

    run.__name__ = function.__name__
    return run


@door_test
def the_list_says_what_the_host_says(scene):
    assert scene.list() == {"post": "off", "absent": "not defined", "local": None}
    for state in ("running", "paused", "stopping", "undefined", "of a later version"):
        scene.states["mail"] = state
        shown = state if state in ("running", "paused", "stopping") else "not defined"
        assert scene.list()["post"] == shown, state


@door_test
def a_guest_is_stopped_when_the_host_has_done_it(scene):
    scene.states["mail"] = "running"

    def stop(parameters):
        scene.states["mail"] = "off"

    scene.host.answers["StopGuest"] = stop
    status, process = scene.run("--stop", "vm:post", "--timeout", "17")
    assert status == 0, process.details()
    assert scene.host.calls[-1] == (
        "StopGuest", {"guest": "mail", "force": False, "timeoutSeconds": 17})
    # One that is off in the list may have been started since: the host looks.
    status, process = scene.run("--stop", "vm:post")
    assert status == 0 and scene.host.calls[-1][0] == "StopGuest", process.details()


@door_test
def what_the_host_refuses_is_said_with_its_reason(scene):
    answers = {"StartGuest": None, "StopGuest": None}
    for error, status, said in (
        ("Refused", 205, "the host does not start post: the memory plan has no room"),
        ("Failed", 205, "the host cannot start post: the memory plan has no room"),
        ("NoLibvirt", 203, "the host cannot start post now: the memory plan has no room"),
        ("NoSuchGuest", 204, "the host gives this controller no guest mail"),
    ):

        def refuse(_, error=error):
            raise Host.Refusal(error, "the memory plan has no room")

        answers["StartGuest"] = refuse
        scene.host.answers.update(answers)
        scene.expect(status, said, "vm:post", "--", "true", env={"WAYLAND_DISPLAY": "none"})
    scene.states["mail"] = "running"

    def too_late(_):
        raise Host.Refusal("Timeout", "it is still shutting down")

    scene.host.answers["StopGuest"] = too_late
    scene.expect(216, "post has not shut down in time", "--stop", "vm:post")
    scene.expect(204, "no guest absent", "--stop", "vm:absent")


@door_test
def many_ask_at_once_and_one_after_the_other(scene):
    running = [
        scene.session.start("portal-run", [programs.RUN, "--list", "--json"]) for _ in range(8)
    ]
    for process in running:
        process.close_input()
        assert process.wait_exit() == 0, process.details()
        assert '"off"' in "\n".join(process.drain()), process.details()


@door_test
def one_who_is_killed_in_the_middle_leaves_the_door_open(scene):
    asked, go_on = threading.Event(), threading.Event()
    answer = scene.host.answers["ListGuests"]

    def wait(parameters):
        asked.set()
        go_on.wait()
        return answer(parameters)

    scene.host.answers["ListGuests"] = wait
    process = scene.session.start("portal-run", [programs.RUN, "--list"])
    asked.wait()
    process.popen.send_signal(signal.SIGKILL)
    process.wait_exit()
    scene.host.answers["ListGuests"] = answer
    go_on.set()
    assert scene.list()["post"] == "off"


@door_test
def one_who_gives_up_waiting_for_a_guest_holds_up_nobody(scene):
    asked, go_on = threading.Event(), threading.Event()
    scene.states["mail"] = "running"

    def wait(_):
        asked.set()
        go_on.wait()

    scene.host.answers["StopGuest"] = wait
    process = scene.session.start("portal-run", [programs.RUN, "--stop", "vm:post",
                                                 "--timeout", "3600"])
    asked.wait()
    process.popen.send_signal(signal.SIGINT)
    process.wait_exit()
    try:
        assert scene.list()["post"] == "running"
    finally:
        go_on.set()


@door_test
def those_who_give_up_waiting_for_guests_hold_up_neither_a_list_nor_a_kill(scene):
    go_on = threading.Event()
    scene.states["mail"] = "running"

    def stop(parameters):
        if not parameters["force"]:
            go_on.wait()

    scene.host.answers["StopGuest"] = stop
    try:
        for count in range(4):  # twice as many as there are connections to the host
            process = scene.session.start("portal-run", [programs.RUN, "--stop", "vm:post",
                                                         "--timeout", "3600"])
            # The call has the guest's name, and a list has none.
            until("the call to be at the door",
                  lambda count=count: scene.port.heard.count(b"mail") > count)
            process.popen.send_signal(signal.SIGINT)
            process.wait_exit()
        assert scene.list()["post"] == "running"
        scene.expect(0, "", "--stop", "vm:post", "--force")
        assert scene.host.calls[-1][1]["force"]
    finally:
        go_on.set()
    # One had been asked for; of those who went before their turn nothing is done.
    assert scene.list()["post"] == "running"
    asked = [parameters for name, parameters in scene.host.calls if name == "StopGuest"]
    assert [parameters["force"] for parameters in asked] == [False, True], asked


@door_test
def a_guest_that_no_call_can_name_is_left_out_of_the_list(scene):
    for name in ("b\u00fcro", "x" * 64, "", "a\nb"):
        scene.states[name] = "running"
    assert scene.list() == {"post": "off", "absent": "not defined", "local": None}


@door_test
def a_wrong_key_and_none_are_told(scene):
    path = os.path.join(scene.session.home, ".local/share/portal", "@door.key")
    with open(path, "w", encoding="utf-8") as file:
        file.write(KEY[::-1])
    scene.expect(208, "does not have the VM's key", "--stop", "vm:post")
    os.unlink(path)
    scene.expect(208, "there is no key of the host's door", "--stop", "vm:post")


@door_test
def a_door_that_nobody_opens_is_told(scene):
    scene.door.stop()
    scene.configure(f"door:unix:{scene.session.directory}/nothing")
    scene.expect(203, "No such file", "--stop", "vm:post")
    scene.configure("door:nonsense")
    scene.expect(201, "uri", "--stop", "vm:post")


@door_test
def the_door_ends_with_its_host(scene):
    until("the door to be there", lambda: scene.list()["post"] == "off")
    scene.host.pairs[1][0].shutdown(socket.SHUT_RDWR)
    assert scene.door.wait_exit() == 0, scene.door.details()


@door_test
def rubbish_ends_a_session_and_not_the_door(scene):
    for rubbish in (os.urandom(200000), b"\0" * 200000, b"\x89PORTAL\n" * 4096):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(scene.port.paths["guest"])
            stream.sendall(rubbish)
        assert scene.list()["post"] == "off"
    assert scene.door.alive()


@door_test
def the_door_has_given_up_what_it_does_not_need(scene):
    assert scene.list()["post"] == "off"
    (pid,) = [
        pid
        for pid, command in strays(f"PORTAL_TEST_SESSION={scene.session.directory}")
        if "portal-door" in command
    ]
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    names = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    assert not [name for name in names if name.startswith(scene.session.directory)
                and not name.endswith(".log")], names


def the_use_of_a_heap_is_told_to_the_host():
    with case.desktop("door-heap-use") as (session, compositor):
        scene = Scene(session)
        try:
            scene.states["mail"] = "running"
            scene.host.answers["ReportHeap"] = lambda _: None
            session.start("portal-agent", [programs.AGENT, "--listen",
                                           f"unix:{session.directory}/agent", "--heap", "memfd:16M"])
            until("the agent to listen", lambda: os.path.exists(f"{session.directory}/agent"))
            status, process = scene.run("vm:post", "--", "true", env=compositor.env)
            assert status == 0, process.details()
            client = session.start("portal-run", [programs.RUN, "vm:post", "--",
                                                  programs.TEST_CLIENT, "resize"], compositor.env)
            client.close_input()

            until("the window's pixels to be there", lambda: heap_in_buffers(session, "post") > 0)
            for pid, command in strays(f"PORTAL_TEST_SESSION={session.directory}"):
                if "test-client" in command and "portal-run" not in command:
                    os.kill(pid, signal.SIGTERM)
            client.wait_exit()
            for pid, command in strays(f"PORTAL_TEST_SESSION={session.directory}"):
                if "portal-run --keep" in command:
                    os.kill(pid, signal.SIGTERM)
            until("the report", lambda: scene.host.calls[-1][0] == "ReportHeap")
            _, report = scene.host.calls[-1]
            # The guest's name at the host, and a window of 200x150 at least.
            assert report["guest"] == "mail" and 200 * 150 * 4 <= report["used"] <= 16 << 20, report
        finally:
            scene.close()


def the_end_of_a_guest_is_noticed():
    with case.desktop("door-end") as (session, compositor):
        scene = Scene(session)
        try:
            scene.states["mail"] = "running"
            agent = session.start("portal-agent", [programs.AGENT, "--listen",
                                                   f"unix:{session.directory}/agent", "--heap",
                                                   "memfd:16M"])
            until("the agent to listen", lambda: os.path.exists(f"{session.directory}/agent"))
            status, process = scene.run("vm:post", "--", "true", env=compositor.env)
            assert status == 0, process.details()
            keeping = lambda: [command for _, command
                               in strays(f"PORTAL_TEST_SESSION={session.directory}")
                               if "portal-run --keep" in command]
            assert keeping()
            # The agent alone may come back.
            asked = len(scene.host.calls)
            agent.stop()
            until("the host to be asked", lambda: "ListGuests" in
                  [name for name, _ in scene.host.calls[asked:]])
            assert keeping()
            scene.states["mail"] = "off"
            until("the keeper to end", lambda: not keeping())
        finally:
            scene.close()


TESTS = [
    the_list_says_what_the_host_says,
    a_guest_is_stopped_when_the_host_has_done_it,
    what_the_host_refuses_is_said_with_its_reason,
    many_ask_at_once_and_one_after_the_other,
    one_who_is_killed_in_the_middle_leaves_the_door_open,
    one_who_gives_up_waiting_for_a_guest_holds_up_nobody,
    those_who_give_up_waiting_for_guests_hold_up_neither_a_list_nor_a_kill,
    a_guest_that_no_call_can_name_is_left_out_of_the_list,
    a_wrong_key_and_none_are_told,
    a_door_that_nobody_opens_is_told,
    the_door_ends_with_its_host,
    rubbish_ends_a_session_and_not_the_door,
    the_door_has_given_up_what_it_does_not_need,
    the_use_of_a_heap_is_told_to_the_host,
    the_end_of_a_guest_is_noticed,
]

case.run(TESTS, sys.argv[1:])

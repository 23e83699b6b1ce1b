"""A controller VM and its host: portal-run on one side, portal-door on the other, between them what
QEMU makes of a virtio-serial port, and behind the door one who answers as portal-hostd does."""

import contextlib
import fcntl
import json
import os
import selectors
import socket
import sys
import threading

from . import case, programs
from .deadline import until
from .process import strays
from .session import Session

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

    def __init__(self, session, block=""):
        self.session = session
        self.block = block
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
        text = f'vm post {{\n\tdomain mail\n\tlabel "Post" "#123456"\n{self.block}{guests}}}\n'
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

    def start(self, *arguments, env=None):
        process = self.session.start("portal-run", [programs.RUN, *arguments], env)
        process.close_input()
        return process

    def run(self, *arguments, env=None):
        process = self.start(*arguments, env=env)
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


KEEPER = "portal-run --keep"


class Kept(Scene):
    """The same on a desktop, with an agent of the guest that runs."""

    def __init__(self, session, compositor, block=""):
        super().__init__(session, block)
        self.states["mail"] = "running"
        path = f"{session.directory}/agent"
        self.agent = session.start(
            "portal-agent", [programs.AGENT, "--listen", f"unix:{path}", "--heap", "memfd:16M"]
        )
        until("the agent to listen", lambda: os.path.exists(path))
        self.env = compositor.env
        status, process = self.run("vm:post", "--", "true")
        assert status == 0, process.details()

    def start(self, *arguments, env=None):
        return super().start(*arguments, env=env or self.env)

    def processes(self, *words):
        """Process ids of this session's processes with these words in their commands."""
        return [pid for pid, command in strays(f"PORTAL_TEST_SESSION={self.session.directory}")
                if all(word in command for word in words)]

    def called(self, since=0):
        """What the host was asked for, the first `since` calls left out."""
        return [name for name, _ in self.host.calls[since:]]


@contextlib.contextmanager
def kept(name, block=""):
    """`block` has more lines for the guest's block in portal.scfg."""
    with case.desktop(name) as (session, compositor):
        with contextlib.closing(Kept(session, compositor, block)) as scene:
            yield scene

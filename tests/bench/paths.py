"""The ways from the generator to the sink: straight, through Portal, through waypipe."""

import collections
import glob
import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import processes

BUILD = os.environ["PORTAL_BUILD"]
GENERATOR = f"{BUILD}/tests/bench/generator"
SINK = f"{BUILD}/tests/bench/sink"
COUNT_COPIES = f"{BUILD}/tests/bench/libcount-copies.so"
AGENT = f"{BUILD}/guest-agent/portal-agent"
BRIDGE = f"{BUILD}/compositor/bridge/portal-bridge"
PATIENCE = 20
WARM_UP = 40  # frames of a window: buffers, pools and pages are there


class Failure(Exception):
    pass


class MessageCounter:
    """Counts the Wayland messages in one direction of a channel, from a frame's begin on; see
    portal-protocol(7)."""

    WAYLAND = 18
    HEADER = struct.Struct("<IHHII")

    def __init__(self):
        self.messages = 0
        self.rest = b""

    def feed(self, data):
        self.rest += data
        while len(self.rest) >= self.HEADER.size:
            length, kind, *_ = self.HEADER.unpack_from(self.rest)
            end = self.HEADER.size + (length + 7 & ~7)
            if len(self.rest) < end:
                break
            if kind == self.WAYLAND:
                self.count(self.rest[self.HEADER.size : self.HEADER.size + length])
            self.rest = self.rest[end:]

    def count(self, payload):
        at = 0
        while at < len(payload):
            at += int.from_bytes(payload[at + 6 : at + 8], "little")
            self.messages += 1


class ByteCounter(threading.Thread):
    """Stands between the two ends of a channel, passes on bytes and descriptors, and counts."""

    def __init__(self, listen, connect):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(listen)
        self.listener.listen(8)
        self.target = connect
        self.bytes = 0
        self.messages = None  # by socket, when they are counted
        self.start()

    def count_messages(self):
        """From now on, when nothing is on its way."""
        self.messages = collections.defaultdict(MessageCounter)

    def message_count(self):
        return sum(counter.messages for counter in (self.messages or {}).values())

    def run(self):
        peers = {}
        while True:
            ready, _, _ = select.select([self.listener, *peers], [], [])
            for near in ready:
                if near is self.listener:
                    one, _ = near.accept()
                    other = socket.socket(socket.AF_UNIX)
                    other.connect(self.target)
                    peers[one], peers[other] = other, one
                elif near in peers and not self.pass_on(near, peers[near]):
                    other = peers.pop(near)
                    peers.pop(other, None)
                    near.close()
                    other.close()

    def pass_on(self, near, far):
        try:
            data, fds, _, _ = socket.recv_fds(near, 1 << 20, 4)
            if not data:
                return False
            self.bytes += len(data)
            if self.messages is not None:
                self.messages[near].feed(data)
            sent = socket.send_fds(far, [data], fds)
            far.sendall(data[sent:])
            for fd in fds:
                os.close(fd)
        except OSError:
            return False
        return True


class Setup:
    """A sink, one way to it, and generators; a context manager that ends what it started."""

    def __init__(self, width, height, damage, hold=False, move=False, refresh=0, guests=1, **count):
        self.width, self.height = width, height
        self.damage_width, self.damage_height = damage
        self.hold, self.move, self.refresh = hold, move, refresh
        self.guests = guests
        self.count_bytes = count.get("bytes", False)
        self.count_copies = count.get("copies", False)
        self.started, self.carriers, self.generators, self.counters = [], [], [], []

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="portal-bench-")
        os.chmod(self.directory.name, 0o700)
        try:
            self.start_sink()
            self.start_carriers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.terminate()
        self.resume()  # one that is stopped would not hear it
        for process in reversed(self.started):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        self.directory.cleanup()

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def start(self, command, env=None, **options):
        log = open(self.path(f"log-{len(self.started)}"), "w+")
        process = subprocess.Popen(
            command,
            env={**os.environ, "XDG_RUNTIME_DIR": self.directory.name, **(env or {})},
            stderr=log,
            **options,
        )
        process.log = log
        self.started.append(process)
        return process

    def start_sink(self):
        command = [SINK] + (["--hold"] if self.hold else [])
        command += ["--refresh", str(self.refresh)] if self.refresh else []
        self.sink = self.start(command, stdout=subprocess.PIPE)
        self.display = self.answer()["socket"]

    def answer(self):
        if not select.select([self.sink.stdout], [], [], PATIENCE)[0]:
            raise Failure("the sink does not answer")
        line = self.sink.stdout.readline()
        if not line:
            raise Failure("the sink ended")
        return json.loads(line)

    def reset(self):
        self.sink.send_signal(signal.SIGUSR1)
        self.answer()

    def report(self):
        self.sink.send_signal(signal.SIGUSR2)
        return self.answer()

    def generator_command(self, windows, frames, rate):
        if rate == "unpaced":
            return self.generator_command(windows, frames, 0) + ["--unpaced"]
        command = [GENERATOR, "--size", f"{self.width}x{self.height}", "--windows", str(windows)]
        command += ["--damage", f"{self.damage_width}x{self.damage_height}"]
        command += ["--frames", str(frames)] if frames else []
        command += ["--move"] if self.move else []
        return command + (["--rate", str(rate)] if rate else [])

    def start_generator(self, windows=1, frames=0, rate=0, guest=0):
        process = self.start(
            self.generator_command(windows, frames, rate),
            {"WAYLAND_DISPLAY": self.display_of(guest)},
        )
        self.generators.append(process)
        return process

    def start_windows(self, windows=1):
        """So many windows in each of the guests. What happens once at the begin has happened to all
        of them."""
        for guest in range(self.guests):
            self.pause()
            before = self.report()["frames"]
            self.start_generator(windows=windows, guest=guest)
            self.await_frames(before + WARM_UP * windows)
        self.resume()

    def until(self, condition, what):
        """Waypipe, and sockets at large, do not say when they are ready."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise Failure(f"no {what} after {PATIENCE} s\n{self.logs()}")
            time.sleep(0.01)

    def await_frames(self, count):
        self.until(lambda: self.report()["frames"] >= count, f"{count} frames")

    def await_path(self, path):
        self.until(lambda: os.path.exists(path), path)

    def check(self):
        for process in self.started:
            if process.poll() is not None:
                raise Failure(f"{process.args[0]} ended with {process.returncode}\n{self.logs()}")

    def logs(self):
        parts = []
        for process in self.started:
            process.log.seek(0)
            parts.append(f"--- {process.args[0]}\n{process.log.read()[-2000:]}")
        return "\n".join(parts)

    def pause(self):
        """Stop the generators until all they have sent has arrived, so that counts of different
        places are of the same frames."""
        for process in self.generators:
            process.send_signal(signal.SIGSTOP)
        pids, last = self.carrier_pids(), None
        while (seen := self._progress(pids)) != last or not processes.asleep(pids):
            last = seen
            time.sleep(0.05)

    def _progress(self, pids):
        return self.report()["commits"], processes.Usage(pids).switches

    def resume(self):
        for process in self.generators:
            process.send_signal(signal.SIGCONT)

    def measured(self):
        """Everything but the clients."""
        roots = [self.sink.pid] + [process.pid for process in self.carriers]
        return processes.children(roots, without=[process.pid for process in self.generators])

    def carrier_pids(self):
        roots = [process.pid for process in self.carriers]
        return processes.children(roots, without=[process.pid for process in self.generators])

    def channel_bytes(self):
        return sum(counter.bytes for counter in self.counters)

    def count_messages(self):
        for counter in self.counters:
            counter.count_messages()

    def channel_messages(self):
        return sum(counter.message_count() for counter in self.counters)

    def copies(self):
        """What the preloaded counter has seen, by kind of process; see count_copies.c."""
        names = ["copies", "copied_bytes", "small_bytes", "own_allocations", "allocations"]
        totals = {}
        for file_name in os.listdir(self.directory.name):
            if not file_name.startswith("copies-"):
                continue
            program = file_name.split("-")[1]
            with open(self.path(file_name), "rb") as file:
                for name in names:
                    key = f"{program}_{name}"
                    totals[key] = totals.get(key, 0) + int.from_bytes(file.read(8), "little")
        return totals


class Native(Setup):
    name = "native"

    def start_carriers(self):
        pass

    def display_of(self, guest):
        return self.display


class Portal(Setup):
    name = "portal"
    bridge_options = []

    def start_carriers(self):
        self.agents = []
        for i in range(self.guests):
            self.start_guest(i)

    def start_guest(self, i):
        runtime = self.path(f"guest-{i}")
        os.mkdir(runtime, 0o700)
        agent_socket = bridge_socket = self.path(f"channel-{i}")
        self.start_carrier(
            [AGENT, "--listen", f"unix:{agent_socket}", "--heap", "memfd:512M"],
            {"XDG_RUNTIME_DIR": runtime},
            f"agent-{i}",
        )
        self.await_path(agent_socket)
        if self.count_bytes:
            bridge_socket = self.path(f"counted-{i}")
            self.counters.append(ByteCounter(bridge_socket, agent_socket))
        self.start_carrier(
            [BRIDGE, "--vm", f"bench{i}", "--transport", f"unix:{bridge_socket}", "--heap", "memfd:"]
            + self.bridge_options,
            {"WAYLAND_DISPLAY": self.display},
            f"bridge-{i}",
        )
        self.agents.append(self.await_display(runtime))

    def own_counts(self):
        """Portal's own counters, frames and pixels. A reply has what the agent said to the call
        before."""
        socket_path = self.path("portal/bridge-bench0.varlink")
        for _ in range(3):
            reply = subprocess.run(
                ["varlinkctl", "call", "-j", socket_path, "org.portal.Bridge.GetState", "{}"],
                check=True,
                capture_output=True,
            )
        state = json.loads(reply.stdout)
        return [state["frames"], state["damagedPixels"], state["copiedPixels"]]

    def await_display(self, runtime):
        """The agent's socket, made once the controller has said what it offers."""
        found = []

        def look():
            found[:] = glob.glob(f"{runtime}/wayland-*[0-9]")
            return found

        self.until(look, "a display of the agent")
        return found[0]

    def start_carrier(self, command, env, name):
        if self.count_copies:
            env = {**env, "LD_PRELOAD": COUNT_COPIES, "COUNT_COPIES": self.path(f"copies-{name}")}
        self.carriers.append(self.start(command, env))

    def display_of(self, guest):
        return self.agents[guest]


class PortalCopy(Portal):
    """As with a heap that is slow to read: the bridge copies the damage once more."""

    name = "portal-copy"
    bridge_options = ["--copy"]


class Waypipe(Setup):
    compression = "none"

    def start_carriers(self):
        client_socket = self.server_socket = self.path("waypipe")
        self.carriers.append(
            self.start(
                ["waypipe", "--compress", self.compression, "--socket", client_socket, "client"],
                {"WAYLAND_DISPLAY": self.display},
            )
        )
        self.await_path(client_socket)
        if self.count_bytes:
            self.server_socket = self.path("counted")
            self.counters.append(ByteCounter(self.server_socket, client_socket))

    def display_of(self, guest):
        # a display of its own, so that the server's process is none of the generator's parents
        display = self.path("waypipe-display")
        self.carriers.append(
            self.start(
                ["waypipe", "--compress", self.compression, "--socket", self.server_socket]
                + ["--display", display, "server", "--"]
                # ends with it: otherwise the benchmark's output stays open for ever
                + ["setpriv", "--pdeathsig", "KILL", "sleep", "infinity"],
            )
        )
        self.await_path(display)
        return display


class WaypipeNone(Waypipe):
    name = "waypipe-none"
    compression = "none"


class WaypipeLz4(Waypipe):
    name = "waypipe-lz4"
    compression = "lz4"


USUAL = [Native, Portal, WaypipeNone, WaypipeLz4]
ALL = [*USUAL, PortalCopy]

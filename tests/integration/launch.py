"""portal-run: programs in the local guest, what it says and returns when things go wrong, and who
is left when they have ended.

launch.py [TEST...]
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import sys
import threading

from portaltest import case, programs
from portaltest.bridge import heap_in_buffers
from portaltest.deadline import Deadline, until
from portaltest.process import strays


class Launcher:
    """portal-run in a session, with its configuration."""

    def __init__(self, session, compositor, config=""):
        self.session = session
        self.env = dict(compositor.env)
        directory = os.path.join(session.home, ".config", "portal")
        os.makedirs(directory, exist_ok=True)
        self.config = os.path.join(directory, "portal.scfg")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)

    def start(self, *arguments, program=programs.RUN, env=None):
        return self.session.start("portal-run", [program, *arguments], {**self.env, **(env or {})})

    def run(self, *arguments, **options):
        """Runs it to its end: status and process."""
        process = self.start(*arguments, **options)
        process.close_input()
        return process.wait_exit(), process

    def expect(self, status, message, *arguments, **options):
        """It ends with this status, after saying something that the expression matches."""
        got, process = self.run(*arguments, **options)
        said = "\n".join(
            line for line in process.log().splitlines() if line.startswith("portal-run: ")
        )
        assert got == status, f"status {got}, not {status}\n{process.details()}"
        assert re.search(message, said), f"no /{message}/ in what was said:\n{said}"

    def path(self, name):
        return os.path.join(self.session.runtime, "portal", name)

    def await_end(self, name="local"):
        """Waits until the keeper of a guest has ended: it holds this lock for as long as it lives."""
        with open(self.path(f"{name}.state"), "rb") as file:
            until(f"the keeper of {name} to end", lambda: self._try_lock(file))

    @staticmethod
    def _try_lock(file):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def processes(self, program):
        """Process ids of this session's processes whose command begins like this."""
        mark = f"PORTAL_TEST_SESSION={self.session.directory}"
        return [pid for pid, command in strays(mark) if re.match(program, command)]

    def kill(self, program, number=signal.SIGKILL):
        """Sends a signal to each of those processes; some end with others of them."""
        pids = self.processes(program)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def rows(self):
        """--list as {name: [domain, agent, windows, label]}."""
        status, process = self.run("--list")
        assert status == 0, process.details()
        rows = [re.split(r" {2,}", line.strip()) for line in process.lines]
        assert rows[0] == ["NAME", "DOMAIN", "AGENT", "WINDOWS", "LABEL"], rows
        return {row[0]: row[1:] for row in rows[1:]}


def launcher_test(function):
    """A test that gets a Launcher on a desktop of its own."""

    def run(compositor_kind, guest_kind):
        with case.desktop(f"launch-{function.__name__}", compositor_kind) as (session, compositor):
            launcher = Launcher(session, compositor)
            try:
                function(launcher)
            except Exception:
                print(session.details(), file=sys.stderr)
                raise

    run.__name__ = function.__name__
    return run


AGENT = r"\S*portal-agent"
BRIDGE = r"\S*portal-bridge"
KEEPER = r"\S*portal-run --keep"


class Held:
    """A program in the guest that has begun, and ends when told."""

    def __init__(self, launcher, *options, end="exit 0"):
        self.directory = os.path.join(launcher.session.directory, "held")
        os.makedirs(self.directory, exist_ok=True)
        number = len(os.listdir(self.directory))
        self.begun = self._fifo(f"begun-{number}")
        self.told = self._fifo(f"told-{number}")
        script = f"trap '{end}' TERM INT; echo $$ > {self.begun[0]}; read x < {self.told[0]}; exit 5"
        self.run = launcher.start(*options, "local:", "--", "sh", "-c", script)

    def _fifo(self, name):
        path = os.path.join(self.directory, name)
        os.mkfifo(path)
        return path, os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def await_begin(self):
        deadline = Deadline("the program to begin")
        deadline.wait_readable(self.begun[1], self.run.details)
        return int(os.read(self.begun[1], 64))

    def tell(self):
        os.write(self.told[1], b"end\n")

    def close(self):
        os.close(self.begun[1])
        os.close(self.told[1])


@launcher_test
def the_exit_status_is_the_programs(launcher):
    for script, status in (("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137)):
        got, process = launcher.run("local:", "--", "sh", "-c", script)
        assert got == status, f"{script}: {got}\n{process.details()}"
    launcher.await_end()


@launcher_test
def a_program_that_is_not_there_is_told_as_a_shell_does(launcher):
    launcher.expect(127, r"nothing-of-the-kind: no such program in local",
                    "local:", "--", "nothing-of-the-kind")
    launcher.expect(126, r"/etc/passwd cannot be run in local: Permission denied",
                    "local:", "--", "/etc/passwd")
    launcher.await_end()


@launcher_test
def arguments_and_environment_reach_the_program_unchanged(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write('vm local {\n\tenv GREETING "good day, \'world\'"\n}\n')
    out = os.path.join(launcher.session.directory, "out")
    words = ["", "two words", "*", "$HOME", 'quo"te', "new\nline", "--list", "\u00e9"]
    script = "import json, os, sys; json.dump([sys.argv[2:], os.environ['GREETING']], open(sys.argv[1], 'w'))"
    status, process = launcher.run("local:", "--", "python3", "-c", script, out, *words)
    assert status == 0, process.details()
    with open(out, encoding="utf-8") as file:
        assert json.load(file) == [words, "good day, 'world'"]
    launcher.await_end()


@launcher_test
def the_configured_command_runs_when_none_is_given(launcher):
    launcher.expect(200, r"what to run\? vm local has no \"command\"", "local:")
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write('vm local {\n\tcommand sh -c "exit 9"\n}\n')
    status, process = launcher.run("local:")
    assert status == 9, process.details()
    launcher.await_end()


@launcher_test
def signals_go_to_the_program(launcher):
    for number, end, status in (
        (signal.SIGTERM, "exit 42", 42),
        (signal.SIGINT, "exit 43", 43),
        (signal.SIGHUP, "exit 1", 128 + signal.SIGHUP),
    ):
        held = Held(launcher, end=end)
        held.await_begin()
        held.run.popen.send_signal(number)
        assert held.run.wait_exit() == status, held.run.details()
        held.close()
    launcher.await_end()


@launcher_test
def many_at_once_share_one_agent_and_one_bridge(launcher):
    held = [Held(launcher) for _ in range(8)]
    for one in held:
        one.await_begin()
    # A bridge that waits for its agent is two processes: the one that waits, the one that tries.
    agents, keepers = launcher.processes(AGENT), launcher.processes(KEEPER)
    assert len(agents) == 1 and len(keepers) == 1, (agents, keepers)
    assert launcher.rows()["local"][1] == "ready"
    for one in held:
        one.tell()
        assert one.run.wait_exit() == 5, one.run.details()
        one.close()
    launcher.await_end()
    assert not launcher.processes(AGENT) and not launcher.processes(BRIDGE)


@launcher_test
def a_detached_program_lives_on_and_its_end_is_the_guests(launcher):
    held = Held(launcher, "--detach")
    assert held.run.wait_exit() == 0, held.run.details()
    held.await_begin()
    assert launcher.processes(AGENT)
    held.tell()
    launcher.await_end()
    held.close()
    assert not launcher.processes(AGENT) and not launcher.processes(KEEPER)


@launcher_test
def the_list_tells_states_and_windows(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(
            'vm test {\n\turi test:///default\n\tlabel "A test" "#123456"\n}\n'
            "vm ghost {\n\turi test:///default\n}\n"
            "vm other {\n\turi none\n}\n"
            "vm gone {\n\turi qemu+unix:///system?socket=/nowhere/libvirt\n}\n"
        )
    rows = launcher.rows()
    assert rows == {
        "test": ["running", "-", "-", "A test"],
        "ghost": ["not defined", "-", "-", "-"],
        "other": ["-", "-", "-", "-"],
        "gone": ["no libvirt", "-", "-", "-"],
        "local": ["-", "-", "-", "-"],
    }, rows
    client = launcher.start("local:", "--", programs.TEST_CLIENT, "resize")
    until("the window to be listed", lambda: launcher.rows()["local"][:3] == ["-", "ready", "1"])
    status, process = launcher.run("--list", "--json")
    listed = {entry.pop("name"): entry for entry in json.loads("\n".join(process.drain()))}
    assert status == 0 and listed == {
        "test": {"domain": "running", "label": "A test", "color": "#123456"},
        "ghost": {"domain": "not defined"},
        "other": {},
        "gone": {"domain": "no libvirt"},
        "local": {"agent": "ready", "windows": 1, "programs": 1},
    }, listed
    client.popen.send_signal(signal.SIGTERM)
    assert client.wait_exit() == 128 + signal.SIGTERM, client.details()
    launcher.await_end()


@launcher_test
def without_a_compositor_nothing_is_started(launcher):
    launcher.env = {}
    launcher.expect(211, r"WAYLAND_DISPLAY is not set", "local:", "--", "true")
    launcher.expect(211, r"no compositor to show windows on",
                    "local:", "--", "true", env={"WAYLAND_DISPLAY": "wayland-none"})
    launcher.await_end()


@launcher_test
def programs_of_portal_that_are_missing_are_named(launcher):
    alone = os.path.join(launcher.session.directory, "alone")
    os.mkdir(alone)
    program = shutil.copy(programs.RUN, alone)
    env = {"PATH": alone}
    launcher.expect(212, r"cannot run portal-agent: No such file",
                    "local:", "--", "true", program=program, env=env)
    launcher.await_end()
    shutil.copy(programs.AGENT, alone)
    launcher.expect(210, r"cannot run portal-bridge: No such file",
                    "local:", "--", "true", program=program, env=env)
    launcher.await_end()


@launcher_test
def a_wrong_configuration_is_told_with_its_line(launcher):
    cases = (
        ("vm demo {\n\tlable x\n}\n", r':2: vm demo has no "lable"; did you mean "label"\?'),
        ("vm demo {\n\ttransport tcp:7\n}\n", r':2: transport: "tcp:7": '),
        ("vm demo {\n\n\theap shm:x\n}\n", r':3: heap: "shm:x": '),
        ("vm demo {\n", r": not valid scfg"),
    )
    for text, message in cases:
        with open(launcher.config, "w", encoding="utf-8") as file:
            file.write(text)
        launcher.expect(201, message, "vm:demo", "--", "true")
    launcher.expect(201, r"/nowhere/portal.scfg: No such file",
                    "--config", "/nowhere/portal.scfg", "--list")


@launcher_test
def a_vm_that_cannot_be_used_is_told_why(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(
            "vm test {\n\turi test:///default\n}\n"
            "vm ghost {\n\turi test:///default\n}\n"
            "vm gone {\n\turi qemu+unix:///system?socket=/nowhere/libvirt\n}\n"
            "vm other {\n\turi none\n}\n"
            f"vm keyless {{\n\turi none\n\ttransport virtio-serial:/nowhere/port\n\theap file:/nowhere/heap\n}}\n"
            f"vm silent {{\n\turi none\n\ttransport unix:{launcher.session.directory}/nobody\n\theap memfd:\n}}\n"
        )
    launcher.expect(202, r"has no vm gohst; did you mean vm:ghost\?", "vm:gohst", "--", "true")
    launcher.expect(203, r"libvirt does not answer at qemu\+unix", "vm:gone", "--", "true")
    launcher.expect(204, r"libvirt has no domain ghost at test:///default", "vm:ghost", "--", "true")
    launcher.expect(201, r"how to reach test is not known", "vm:test", "--", "true")
    launcher.expect(201, r"how to reach other is not known", "vm:other", "--", "true")
    launcher.expect(208, r"keyless.key: No such file", "vm:keyless", "--", "true")
    launcher.expect(206, r"no agent has answered in vm:silent for 1 seconds",
                    "--timeout", "1", "vm:silent", "--", "true")
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("silent")


def plan_memory(launcher, settings, history=""):
    """A memory plan of the host, for portal-run; returns the file of its history."""
    state = os.path.join(launcher.session.directory, "host")
    os.makedirs(state, exist_ok=True)
    paths = {"host.scfg": settings, "heap-use.scfg": history}
    for name, text in paths.items():
        with open(os.path.join(state, name), "w", encoding="utf-8") as file:
            file.write(text)
    launcher.env.update(PORTAL_HOST_CONFIG=os.path.join(state, "host.scfg"),
                        PORTAL_HOST_STATE=state)
    return os.path.join(state, "heap-use.scfg")


@launcher_test
def the_use_of_a_heap_is_taken_down_by_itself(launcher):
    history = plan_memory(launcher, "guest demo {\n\tmemory 1G\n}\n")
    socket = os.path.join(launcher.session.directory, "agent")
    agent = launcher.session.start(
        "portal-agent", [programs.AGENT, "--listen", f"unix:{socket}", "--heap", "memfd:16M"]
    )
    until("the agent to listen", lambda: os.path.exists(socket))
    guest = f"{{\n\turi none\n\ttransport unix:{socket}\n\theap memfd:\n}}\n"
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(f"vm demo {guest}vm other {guest}")
    client = launcher.start("vm:demo", "--", programs.TEST_CLIENT, "resize")
    until("the window to be listed", lambda: launcher.rows()["demo"][1:3] == ["ready", "1"])
    until("its pixels to be there", lambda: heap_in_buffers(launcher.session, "demo") > 0)
    client.popen.send_signal(signal.SIGTERM)
    client.wait_exit()
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("demo")
    with open(history, encoding="utf-8") as file:
        text = file.read()
    peak = int(re.search(r"^\tpeak (\d+)$", text, re.M).group(1))
    # A window of 200x150 at least, in one buffer or more, and never more than there is.
    assert 200 * 150 * 4 <= peak <= 16 << 20, text
    assert "guest \"demo\"" in text and text.count("guest") == 1, text
    # A guest that the plan does not know is nobody's business.
    status, process = launcher.run("vm:other", "--", "true")
    assert status == 0, process.details()
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("other")
    with open(history, encoding="utf-8") as file:
        assert file.read() == text
    agent.stop()


class Daemon:
    """portal-hostd's socket: takes one call, answers it, and keeps it."""

    def __init__(self, path, reply):
        self.call = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, args=[reply])
        self._thread.start()

    def _serve(self, reply):
        connection, _ = self._listener.accept()
        with connection:
            data = b""
            while not data.endswith(b"\0"):
                data += connection.recv(4096)
            self.call = json.loads(data[:-1])
            connection.sendall(json.dumps(reply).encode() + b"\0")

    def close(self):
        self._thread.join()
        self._listener.close()


@launcher_test
def the_use_of_a_heap_is_told_to_the_daemon_that_runs(launcher):
    history = plan_memory(launcher, "guest demo {\n\tmemory 1G\n}\n")
    directory = launcher.session.directory
    agent = launcher.session.start(
        "portal-agent", [programs.AGENT, "--listen", f"unix:{directory}/agent", "--heap", "memfd:16M"]
    )
    until("the agent to listen", lambda: os.path.exists(f"{directory}/agent"))
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(f"vm demo {{\n\turi none\n\ttransport unix:{directory}/agent\n\theap memfd:\n}}\n")
    denied = {"error": "org.portal.Host.NotAuthorized", "parameters": {"reason": "not you"}}
    for number, reply in enumerate(({"parameters": {}}, denied)):
        path = os.path.join(directory, f"hostd-{number}")
        daemon = Daemon(path, reply)
        launcher.env["PORTAL_HOST_SOCKET"] = path
        status, process = launcher.run("vm:demo", "--", "true")
        assert status == 0, process.details()
        launcher.kill(KEEPER, signal.SIGTERM)
        launcher.await_end("demo")
        daemon.close()
        assert daemon.call["method"] == "org.portal.Host.ReportHeap", daemon.call
        assert daemon.call["parameters"].keys() == {"guest", "used"}, daemon.call
        assert daemon.call["parameters"]["guest"] == "demo", daemon.call
        # What the daemon does not take is taken down here.
        with open(history, encoding="utf-8") as file:
            assert ("demo" in file.read()) == (reply is denied)
    agent.stop()


NODE = """<node><cpu><mhz>1000</mhz><model>test</model><active>1</active><nodes>1</nodes>
<sockets>1</sockets><cores>1</cores><threads>1</threads></cpu><memory>8192000</memory>%s</node>
"""
DOMAIN = """<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<name>%s</name><maxMemory slots='4' unit='KiB'>8388608</maxMemory><memory unit='KiB'>1048576</memory>
<vcpu>1</vcpu><os><type>hvm</type></os>
<cpu><numa><cell id='0' cpus='0' memory='1048576' unit='KiB'/></numa></cpu>
<devices><memory model='nvdimm' access='shared'><source><path>%s</path></source>
<target><size unit='MiB'>%d</size><node>0</node></target><alias name='ua-portal-heap'/></memory>
<channel type='unix'><source mode='bind' path='/nowhere/port'/>
<target type='virtio' name='org.portal.agent.0'/></channel></devices>
<test:runstate>%d</test:runstate></domain>
"""
RUNNING, OFF = 1, 5


@launcher_test
def a_guest_starts_with_the_heap_that_is_planned_or_not_at_all(launcher):
    directory = launcher.session.directory
    heap = os.path.join(directory, "heap")
    node = os.path.join(directory, "node.xml")
    with open(node, "w", encoding="utf-8") as file:
        file.write(NODE % (DOMAIN % ("demo", heap, 64, OFF)
                           + DOMAIN % ("busy", heap + "-2", 32, RUNNING)))
    with open(launcher.config, "w", encoding="utf-8") as file:
        for name in ("demo", "busy"):
            file.write(f"vm {name} {{\n\turi test://{node}\n\tkey /etc/passwd\n}}\n")
    with open("/proc/meminfo", encoding="utf-8") as file:
        total = int(re.search(r"MemTotal: +(\d+)", file.read()).group(1)) << 10
    settings = ("memory {\n\treserve %d\n}\nguest demo {\n\tmemory 64M\n\theap 16M 128M\n}\n"
                "guest busy {\n\tmemory 32M\n}\n")
    use = 'guest "demo" {\n\tupdated 1700000000\n\tlast 67108864\n\tpeak 67108864\n\tweight 24 60\n}\n'

    def start():
        return launcher.run("--timeout", "1", "vm:demo", "--", "true")[1].log()

    def end():
        launcher.kill(KEEPER, signal.SIGTERM)
        launcher.await_end("demo")

    # 64 MiB were used: a quarter more is planned, whole pieces of 2 MiB.
    plan_memory(launcher, settings % (total - (512 << 20)), use)
    said = start()
    assert "the heap of demo is 80 MiB now, after 64 MiB: it uses 64 MiB" in said, said
    assert os.stat(heap).st_size == 80 << 20
    end()
    # Of 200 MiB the one that runs has 32 and its heap's 32, demo's own memory is 64: 72 are left.
    plan_memory(launcher, settings % (total - (200 << 20)), use)
    said = start()
    assert "the heap of demo is 72 MiB now" in said and "the budget is short" in said, said
    assert os.stat(heap).st_size == 72 << 20
    end()
    os.unlink(heap)
    plan_memory(launcher, settings % (total - (140 << 20)), use)
    launcher.expect(218, r"demo is not started: 64 MiB of the budget is taken by the guests that "
                    r"run: these guests need 80 MiB", "vm:demo", "--", "true")
    assert not os.path.exists(heap), "something was begun"
    plan_memory(launcher, "guest demo {\n\tmemory lots\n}\n")
    launcher.expect(218, r"host.scfg, line 2: expected: .*memory SIZE", "vm:demo", "--", "true")
    # Without a plan the definition's heap is the one.
    plan_memory(launcher, "")
    said = start()
    assert "the heap of" not in said.replace("the heap of demo, ", ""), said
    assert os.stat(heap).st_size == 64 << 20
    end()


@launcher_test
def a_heap_that_is_not_there_is_told(launcher):
    socket = os.path.join(launcher.session.directory, "agent")
    agent = launcher.session.start(
        "portal-agent", [programs.AGENT, "--listen", f"unix:{socket}", "--heap", "memfd:16M"]
    )
    until("the agent to listen", lambda: os.path.exists(socket))
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(f"vm heapless {{\n\turi none\n\ttransport unix:{socket}\n\theap file:/nowhere/heap\n}}\n")
    launcher.expect(207, r"heap", "--timeout", "2", "vm:heapless", "--", "true")
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("heapless")
    agent.stop()


class OddAgent:
    """What answers every bridge that connects to a unix socket with answer(preamble, hello), which
    gets the bytes of both (portal-protocol(7)) and returns bytes."""

    def __init__(self, path, answer):
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self._socket.accept()[0]
                with connection, contextlib.suppress(ConnectionError):
                    self._greet(connection)

    def _greet(self, connection):
        preamble = connection.recv(16, socket.MSG_WAITALL)
        header = connection.recv(16, socket.MSG_WAITALL)
        length = struct.unpack_from("<I", header)[0]
        hello = connection.recv((length + 7) & ~7, socket.MSG_WAITALL)
        connection.sendall(self._answer(preamble, header + hello))
        while connection.recv(4096):  # until the bridge has had enough
            pass

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@launcher_test
def an_agent_of_another_age_or_none_at_all_is_told(launcher):
    def later(preamble, hello):
        header, payload = hello[:16], hello[16:]
        return preamble + header + struct.pack("<III", 98, 99, 2) + payload[12:]

    def stranger(preamble, hello):
        return b"HTTP/1.1 400 Bad Request\r\n\r\n"

    path = os.path.join(launcher.session.directory, "odd")
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(f"vm odd {{\n\turi none\n\ttransport unix:{path}\n\theap memfd:\n}}\n")
    for answer, status, message in (
        (later, 209, r"the agent in vm:odd and this bridge speak no version in common"),
        (stranger, 214, r"does not speak Portal's protocol|broke a rule"),
    ):
        agent = OddAgent(path, answer)
        launcher.expect(status, message, "vm:odd", "--", "true")
        launcher.kill(KEEPER, signal.SIGTERM)
        launcher.await_end("odd")
        agent.close()
        os.unlink(path)


# Runs a command with a terminal as its standard error, and prints what that shows.
ON_TERMINAL = """
import json, os, subprocess, sys
master, slave = os.openpty()
status = subprocess.call(sys.argv[1:], stderr=slave)
os.set_blocking(master, False)
print(json.dumps(os.read(master, 65536).decode()))
sys.exit(status)
"""


@launcher_test
def a_terminal_shows_what_is_waited_for(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        path = f"{launcher.session.directory}/nobody"
        file.write(f"vm silent {{\n\turi none\n\ttransport unix:{path}\n\theap memfd:\n}}\n")
    arguments = ["--timeout", "2", "vm:silent", "--", "true"]
    process = launcher.session.start(
        "terminal", [sys.executable, "-c", ON_TERMINAL, programs.RUN, *arguments], launcher.env
    )
    process.close_input()
    assert process.wait_exit() == 206, process.details()
    shown = json.loads(process.lines[-1])
    clear = "\r\x1b[K"
    assert f"{clear}waiting for the agent in vm:silent… 1 s" in shown, process.details()
    # It is one line, in the place of which the outcome stands.
    assert f"{clear}portal-run: no agent has answered in vm:silent" in shown, process.details()
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("silent")
    # Elsewhere it would only fill a log.
    status, process = launcher.run(*arguments)
    assert status == 206 and "waiting for the agent" not in process.log(), process.details()
    launcher.kill(KEEPER, signal.SIGTERM)
    launcher.await_end("silent")


@launcher_test
def a_machine_that_cannot_run_it_is_told(launcher):
    launcher.expect(217, r"XDG_RUNTIME_DIR is not set", "local:", "--", "true",
                    env={"XDG_RUNTIME_DIR": ""})
    long = os.path.join(launcher.session.directory, "x" * 100)
    os.mkdir(long)
    launcher.expect(217, r"is too long a path for sockets", "local:", "--", "true",
                    env={"XDG_RUNTIME_DIR": long})


@launcher_test
def stopping_waits_for_the_domain(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(
            "vm test {\n\turi test:///default\n}\nvm ghost {\n\turi test:///default\n}\n"
            "vm other {\n\turi none\n}\n"
        )
    for options in ((), ("--force",)):
        status, process = launcher.run("--stop", *options, "vm:test")
        assert status == 0, process.details()
    launcher.expect(204, r"libvirt has no domain ghost", "--stop", "vm:ghost")
    launcher.expect(201, r'other has "uri none"', "--stop", "vm:other")


@launcher_test
def a_definition_is_shown_before_it_is_made(launcher):
    with open(launcher.config, "w", encoding="utf-8") as file:
        file.write(
            "vm new {\n\turi test:///default\n\theap file:/dev/shm/new-heap\n"
            "\ttransport virtio-serial:/run/new.channel\n}\n"
            "vm test {\n\turi test:///default\n}\n"
            "vm slash {\n\turi test:///default\n\tdomain a/b\n}\n"
        )
    image = os.path.join(launcher.session.directory, "image")
    open(image, "wb").close()
    define = ("--define", "vm:new", "--image", image, "--virt", "qemu")
    status, process = launcher.run(*define, "--dry-run")
    shown = "\n".join(process.lines)
    assert status == 0, process.details()
    for part in (image, "/dev/shm/new-heap", "/run/new.channel", "<name>new</name>", "passt"):
        assert part in shown, shown
    key = os.path.join(launcher.session.home, ".local/share/portal/new.key")
    assert key in shown and not os.path.exists(key)

    launcher.expect(215, r"has a domain test already, and nothing was changed",
                    "--define", "vm:test", "--heap", "nvdimm")
    launcher.expect(205, r"cannot define slash: .*'/'",
                    "--define", "vm:slash", "--image", image, "--virt", "qemu")
    launcher.expect(200, r"--image-format: raww is none of raw, qcow2",
                    *define, "--image-format", "raww")
    launcher.expect(200, r"/nowhere/image: No such file",
                    "--define", "vm:new", "--image", "/nowhere/image")
    launcher.expect(200, r"a new guest needs --image or --kernel", "--define", "vm:new")
    launcher.expect(200, r"nvdimm heap's size must be a multiple of 2M",
                    *define, "--heap-size", "17M")


@launcher_test
def a_killed_bridge_comes_back_with_the_windows(launcher):
    client = launcher.start("local:", "--", programs.TEST_CLIENT, "resize")
    until("the window to be listed", lambda: launcher.rows()["local"][2] == "1")
    before = launcher.kill(BRIDGE)
    # Whoever waited for a program through it hears so.
    assert client.wait_exit() in (210, 213), client.details()
    until("the window to come back", lambda: launcher.rows()["local"][:3] == ["-", "ready", "1"])
    assert not set(before) & set(launcher.processes(BRIDGE))
    launcher.kill(r"\S*test-client", signal.SIGTERM)
    launcher.await_end()


@launcher_test
def a_killed_agent_ends_its_bridge_and_is_told(launcher):
    held = Held(launcher)
    held.await_begin()
    launcher.kill(AGENT)
    assert held.run.wait_exit() in (212, 213), held.run.details()
    launcher.await_end()
    assert not launcher.processes(BRIDGE)
    launcher.kill("sh -c")
    held.close()
    status, process = launcher.run("local:", "--", "true")
    assert status == 0, process.details()
    launcher.await_end()


@launcher_test
def a_killed_keeper_leaves_no_one_behind(launcher):
    held = Held(launcher)
    held.await_begin()
    launcher.kill(KEEPER)
    assert held.run.wait_exit() in (210, 213), held.run.details()
    until("agent and bridge to end",
          lambda: not launcher.processes(AGENT) and not launcher.processes(BRIDGE))
    launcher.kill("sh -c")
    held.close()
    status, process = launcher.run("local:", "--", "true")
    assert status == 0, process.details()
    launcher.await_end()


TESTS = [
    the_exit_status_is_the_programs,
    a_program_that_is_not_there_is_told_as_a_shell_does,
    arguments_and_environment_reach_the_program_unchanged,
    the_configured_command_runs_when_none_is_given,
    signals_go_to_the_program,
    many_at_once_share_one_agent_and_one_bridge,
    a_detached_program_lives_on_and_its_end_is_the_guests,
    the_list_tells_states_and_windows,
    without_a_compositor_nothing_is_started,
    programs_of_portal_that_are_missing_are_named,
    a_wrong_configuration_is_told_with_its_line,
    a_vm_that_cannot_be_used_is_told_why,
    the_use_of_a_heap_is_taken_down_by_itself,
    the_use_of_a_heap_is_told_to_the_daemon_that_runs,
    a_guest_starts_with_the_heap_that_is_planned_or_not_at_all,
    a_heap_that_is_not_there_is_told,
    an_agent_of_another_age_or_none_at_all_is_told,
    a_terminal_shows_what_is_waited_for,
    a_machine_that_cannot_run_it_is_told,
    stopping_waits_for_the_domain,
    a_definition_is_shown_before_it_is_made,
    a_killed_bridge_comes_back_with_the_windows,
    a_killed_agent_ends_its_bridge_and_is_told,
    a_killed_keeper_leaves_no_one_behind,
]

if __name__ == "__main__":
    case.main("portal", None, TESTS, sys.argv[1:])

"""portal-run: domains of libvirt, and the host's plan of their heaps.

launch_domain.py [TEST...]
"""

import json
import os
import re
import signal
import socket
import sys
import threading

from portaltest import case, programs
from portaltest.bridge import heap_in_buffers
from portaltest.deadline import until
from portaltest.launcher import KEEPER, launcher_test


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


def sized(name, memory, path, heap, state):
    """A domain with so many MiB of its own and of its heap, which libvirt counts as its memory."""
    return (DOMAIN % (name, path, heap, state)).replace(
        "<memory unit='KiB'>1048576", f"<memory unit='KiB'>{memory + heap << 10}").replace(
        "1048576", str(memory << 10))


@launcher_test
def a_guest_starts_with_the_heap_that_is_planned_or_not_at_all(launcher):
    directory = launcher.session.directory
    heap = os.path.join(directory, "heap")
    node = os.path.join(directory, "node.xml")
    with open(node, "w", encoding="utf-8") as file:
        file.write(NODE % (sized("demo", 64, heap, 64, OFF)
                           + sized("busy", 16, heap + "-2", 32, RUNNING)
                           # Nobody has named it, and it has memory all the same.
                           + sized("stranger", 16, heap + "-3", 16, RUNNING).replace(
                               "'ua-portal-heap'", "'ua-portal-heap-other'")
                           # Its controller has the same heap: that counts once.
                           + sized("controller", 8, heap + "-2", 32, RUNNING).replace(
                               "'ua-portal-heap'", "'ua-portal-heap-busy'")))
    with open(launcher.config, "w", encoding="utf-8") as file:
        for name in ("demo", "busy"):
            file.write(f"vm {name} {{\n\turi test://{node}\n\tkey /etc/passwd\n}}\n")
    with open("/proc/meminfo", encoding="utf-8") as file:
        total = int(re.search(r"MemTotal: +(\d+)", file.read()).group(1)) << 10
    # What the domains are defined with goes before what is said of their memory here.
    settings = ("memory {\n\treserve %d\n}\nguest demo {\n\tmemory 1G\n\theap 16M 128M\n}\n"
                "guest busy {\n\tmemory 1G\n}\n")
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
    # Of 224 MiB those that run have 16, 16 and 8, and heaps of 32 and 16; demo's own memory is 64.
    plan_memory(launcher, settings % (total - (224 << 20)), use)
    said = start()
    assert "the heap of demo is 72 MiB now" in said and "the budget is short" in said, said
    assert os.stat(heap).st_size == 72 << 20
    end()
    os.unlink(heap)
    plan_memory(launcher, settings % (total - (164 << 20)), use)
    launcher.expect(218, r"demo is not started: 88 MiB of the budget of 164 MiB is taken by busy "
                    r"\(48 MiB\), stranger \(32 MiB\), controller \(8 MiB\): these guests need 80 MiB",
                    "vm:demo", "--", "true")
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
            "vm none {\n\turi none\n}\n"
            "vm far {\n\turi door:unix:/nowhere/door\n}\n"
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
    launcher.expect(201, r'none has "uri none"', "--define", "vm:none", "--image", image)
    launcher.expect(201, r'far is a guest of this machine\'s host \("uri door:unix:/nowhere/door"\)',
                    "--define", "vm:far", "--image", image)
    launcher.expect(200, r"--image-format: raww is none of raw, qcow2",
                    *define, "--image-format", "raww")
    launcher.expect(200, r"/nowhere/image: No such file",
                    "--define", "vm:new", "--image", "/nowhere/image")
    launcher.expect(200, r"a new guest needs --image or --kernel", "--define", "vm:new")
    launcher.expect(200, r"nvdimm heap's size must be a multiple of 2M",
                    *define, "--heap-size", "17M")


TESTS = [
    the_use_of_a_heap_is_taken_down_by_itself,
    the_use_of_a_heap_is_told_to_the_daemon_that_runs,
    a_guest_starts_with_the_heap_that_is_planned_or_not_at_all,
    stopping_waits_for_the_domain,
    a_definition_is_shown_before_it_is_made,
]

case.main("portal", None, TESTS, sys.argv[1:])

"""What portal-agent does about what it finds: it says in one line what it lacks, and takes a display
name that is free.

agent.py [TEST...]
"""

import fcntl
import os
import re
import socket
import sys

from portaltest import case, programs
from portaltest.deadline import until
from portaltest.process import is_listening
from portaltest.session import Session

HEAP = ["--heap", "memfd:8M"]


def cases(directory):
    """Arguments, environment, and what the line says."""
    listen = ["--listen", f"unix:{directory}/channel"]
    taken = socket.socket(socket.AF_UNIX)
    taken.bind(f"{directory}/taken")
    taken.listen()
    with open(f"{directory}/key", "w", encoding="ascii") as file:
        file.write("too short")
    nowhere = f"{directory}/nowhere"
    yield [], {}, "no --(heap|listen), and this machine has no (heap|channel) device"
    yield [*listen, "--heap", f"dax:{nowhere}"], {}, f"no heap at {nowhere}: .*No such file.*"
    yield [*listen, "--heap", "memfd:64K"], {}, "no heap: the heap is smaller than 4 MiB .*"
    yield [*listen, "--heap", "paper"], {}, "--heap paper: a heap is memfd:SIZE, .*"
    yield ["--listen", "string:1", *HEAP], {}, "transport string:1: a transport is unix:PATH, .*"
    yield ["--listen", f"unix:{directory}/taken", *HEAP], {}, "cannot listen at .*taken: Address .*"
    yield ["--listen", "virtio-serial:/dev/x", *HEAP], {}, ".* needs the VM's key: --key, .*"
    yield [*listen, *HEAP, "--key", f"{directory}/key"], {}, "key .*: no key, which is 32 bytes .*"
    yield [*listen, *HEAP, "--key", nowhere], {}, f"key {nowhere}: No such file or directory"
    yield ["--wayland-display", nowhere], {}, f"no compositor at {nowhere}: No such file .*"
    yield [*listen, *HEAP], {"XDG_RUNTIME_DIR": nowhere}, f"no socket .* \\({nowhere}\\): No such .*"
    taken.close()


def the_agent_says_what_it_lacks():
    session = Session("agent-lacks", case.results_directory("agent-lacks"))
    failed = True
    try:
        for arguments, environment, wanted in cases(session.directory):
            agent = session.start("portal-agent", [programs.AGENT, *arguments], environment)
            assert agent.wait_exit() == 1, agent.details()
            lines = [line for line in agent.log().splitlines() if "[INFO]" not in line]
            pattern = rf"(.*\[ERROR\] \[.*\] |portal-agent: ){wanted}"
            assert len(lines) == 1 and re.fullmatch(pattern, lines[0]), f"{wanted}\n{agent.log()}"
            assert not os.path.exists(os.path.join(session.runtime, "wayland-1")), wanted
        failed = False
    finally:
        session.finish(failed)


def the_agent_takes_a_display_name_that_is_free():
    with case.session("agent-display") as session:
        path = lambda number: os.path.join(session.runtime, f"wayland-{number}")
        arguments = ["--listen", f"unix:{session.directory}/channel", *HEAP]

        def start(number):
            agent = session.start("portal-agent", [programs.AGENT, *arguments])
            # The channel comes last: from then on the agent heeds a signal to end.
            channel = arguments[1].removeprefix("unix:")
            until(f"{number}'s channel", lambda: not agent.alive() or is_listening(channel))
            assert agent.alive() and is_listening(path(number)), agent.details()
            return agent

        # Of a process that died, and of one that lives: who serves a display holds its lock.
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path(1))
        first = start(1)
        arguments[1] += "-2"
        with open(f"{path(2)}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            second = start(3)
            assert not os.path.exists(path(2))
        os.unlink(f"{path(2)}.lock")
        for agent in (first, second):
            assert agent.stop() == 0, agent.details()
        left = [name for name in os.listdir(session.runtime) if name.startswith("wayland-")]
        assert not left, left


def the_agents_log_carries_its_name():
    with case.session("agent-log") as session:
        for stream, begin in ("", "portal-agent[sales]: [INFO] "), ("1:2", "<6>portal-agent[sales]: "):
            arguments = ["--listen", f"unix:{session.directory}/channel", "--name", "sales", *HEAP]
            environment = {"JOURNAL_STREAM": stream} if stream else {}
            agent = session.start("portal-agent", [programs.AGENT, *arguments], environment)
            # Which comes last: before, a signal to end would be nothing that it heeds.
            until("the channel", lambda: is_listening(f"{session.directory}/channel"))
            assert agent.stop() == 0, agent.details()
            lines = agent.log().splitlines()
            assert lines and all(line.startswith(begin) for line in lines), agent.details()


TESTS = [
    the_agent_says_what_it_lacks,
    the_agent_takes_a_display_name_that_is_free,
    the_agents_log_carries_its_name,
]

case.run(TESTS, sys.argv[1:])

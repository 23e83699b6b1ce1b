"""What portal-agent lacks it says in one line, and ends with 1. agent.py [TEST...]"""

import os
import re
import socket
import sys

from portaltest import case, programs
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


case.run([the_agent_says_what_it_lacks], sys.argv[1:])

"""portal-run: programs in the local guest, and who is left when they have ended.

launch.py [TEST...]
"""

import json
import os
import signal
import sys

from portaltest import case, programs
from portaltest.deadline import until
from portaltest.idle import assert_nobody_wakes
from portaltest.launcher import AGENT, BRIDGE, KEEPER, Held, launcher_test


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
def a_window_that_draws_nothing_wakes_no_process(launcher):
    client = launcher.start("local:", "--", programs.TEST_CLIENT, "resize")
    until("the window to be listed", lambda: launcher.rows()["local"][2] == "1")
    # The compositor, who waits for the program, the keeper, the agent, and the bridge's two.
    pids = launcher.processes(r"(\S*/)?portal(-agent|-bridge|-run)?( |$)")
    assert len(pids) == 6, (pids, launcher.session.details())
    assert_nobody_wakes(pids)
    client.popen.send_signal(signal.SIGTERM)
    client.wait_exit()
    launcher.await_end()


@launcher_test
def a_killed_bridge_comes_back_with_the_windows(launcher):
    client = launcher.start("local:", "--", programs.TEST_CLIENT, "resize")
    until("the window to be listed", lambda: launcher.rows()["local"][2] == "1")
    before = launcher.kill(BRIDGE)
    # Whoever waited for a program through it hears so.
    assert client.wait_exit() == 213, client.details()
    until("the window to come back", lambda: launcher.rows()["local"][:3] == ["-", "ready", "1"])
    assert not set(before) & set(launcher.processes(BRIDGE))
    launcher.kill(r"\S*test-client", signal.SIGTERM)
    launcher.await_end()


# Runs a command whose standard error is a pipe, of which nobody has the other end any more once a
# line has been read.
UNREAD = """
import os, subprocess, sys
read, write = os.pipe()
process = subprocess.Popen(sys.argv[1:], stderr=write)
os.close(write)
sys.stdin.readline()
os.close(read)
print("closed", flush=True)
process.wait()
"""


@launcher_test
def a_log_that_nobody_reads_any_more_ends_nothing(launcher):
    # Not what the program itself says: its output is the same pipe, and it may well end of that.
    silent = ["sh", "-c", 'exec "$0" resize >/dev/null 2>&1', programs.TEST_CLIENT]
    reader = launcher.session.start(
        "reader", [sys.executable, "-c", UNREAD, programs.RUN, "local:", "--", *silent], launcher.env)
    until("the window to be listed", lambda: launcher.rows()["local"][2] == "1")
    reader.popen.stdin.write(b"\n")
    reader.expect("closed")
    agent = launcher.processes(AGENT)
    # Agent, keeper and the next bridge have something to say now.
    launcher.kill(BRIDGE)
    until("the window to come back", lambda: launcher.rows()["local"][:3] == ["-", "ready", "1"])
    assert launcher.processes(AGENT) == agent
    launcher.kill(r"\S*test-client", signal.SIGTERM)
    launcher.await_end()


@launcher_test
def closed_descriptors_are_nothing_that_a_keeper_waits_for(launcher):
    for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
        process = launcher.session.start(
            "portal-run", ["sh", "-c", f'exec "$0" "$@" {closed}', programs.RUN, "local:", "--",
                           "sh", "-c", "exit 6"], launcher.env)
        assert process.wait_exit() == 6, f"{closed}\n{process.details()}"
        launcher.await_end()
        for name in ("local.users", "local.start"):
            assert os.path.getsize(launcher.path(name)) == 0, f"{closed}: {name} was written to"


@launcher_test
def a_killed_agent_ends_its_bridge_and_is_told(launcher):
    held = Held(launcher)
    held.await_begin()
    launcher.kill(AGENT)
    assert held.run.wait_exit() == 213, held.run.details()
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
    assert held.run.wait_exit() == 213, held.run.details()
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
    a_window_that_draws_nothing_wakes_no_process,
    a_killed_bridge_comes_back_with_the_windows,
    a_log_that_nobody_reads_any_more_ends_nothing,
    closed_descriptors_are_nothing_that_a_keeper_waits_for,
    a_killed_agent_ends_its_bridge_and_is_told,
    a_killed_keeper_leaves_no_one_behind,
]

case.main("portal", None, TESTS, sys.argv[1:])

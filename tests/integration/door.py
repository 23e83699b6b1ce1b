"""A controller VM asks its host: what portal-run says of the answers, and what the door lets by.

door.py [TEST...]
"""

import json
import os
import signal
import socket
import sys
import threading

from portaltest import case, programs
from portaltest.deadline import until
from portaltest.door import KEY, Host, door_test
from portaltest.process import strays


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
]

case.run(TESTS, sys.argv[1:])

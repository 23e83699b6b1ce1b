"""A portal-door that its controller has taken over makes more calls than one should.

hostile_door.py PORTAL-HOSTD: with libvirt's test driver, whose domain "test" runs, so that its door
opens at once.
"""

import contextlib
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

HOSTD = os.path.realpath(sys.argv[1])
DOOR = os.path.join(TOP, "tests", "host", "fake_door.py")
POLICY = """
controller test {{
	guests fox
	door unix:{door}
}}
guest fox {{
	domain test
	memory 64M
	heap 64M 128M
}}
"""


class Scene:
    """The daemon, and what the doors that it starts are given."""

    def __init__(self, work, finish):
        self.path = os.path.join(work, "hostd")
        config, door = os.path.join(work, "host.scfg"), os.path.join(work, "door")
        with open(config, "w", encoding="utf-8") as file:
            file.write(POLICY.format(door=door))
        self.listener = finish.enter_context(socket.socket(socket.AF_UNIX))
        self.listener.bind(door)
        self.listener.listen()
        self.listener.settimeout(wait.PATIENCE)
        self.process, self.log = wait.start(
            [HOSTD, "--config", config, "--state", os.path.join(work, "state"), "--socket",
             self.path, "--uri", "test:///default", "--door", DOOR], "portal-hostd")
        finish.callback(wait.stop, self.process)

    @contextlib.contextmanager
    def door(self):
        """The connection of the next door that is started; when it is left, the door has ended."""
        keeper, _ = self.listener.accept()
        descriptors = socket.recv_fds(keeper, 4096, 1)[1]
        with keeper, socket.socket(fileno=descriptors[0]) as link:
            link.settimeout(wait.PATIENCE)
            yield link

    def memory(self):
        """The most that the daemon has had, in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":", 1) for line in file)
        return int(status["VmHWM"].split()[0]) << 10

    def state(self):
        return varlink.call(self.path, "org.portal.Host.GetState")


def message(method, **call):
    return json.dumps({"method": f"org.portal.Door.{method}", **call}).encode() + b"\0"


def answers(link, count):
    """So many, in the order of the calls."""
    text = b""
    while text.count(b"\0") < count:
        data = link.recv(65536)
        assert data, "the daemon hung up"
        text += data
    return [json.loads(line) for line in text.split(b"\0")[:count]]


@contextlib.contextmanager
def scene():
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as finish:
        yield Scene(work, finish)


def thousands_of_calls_wait_in_their_connection_and_are_one_line_in_the_log():
    with scene() as made, made.door() as link:
        def write():
            with contextlib.suppress(OSError):
                link.sendall(message("ListGuests") * 20000)

        writer = threading.Thread(target=write)
        writer.start()
        for reply in answers(link, 128):
            assert [guest["name"] for guest in reply["parameters"]["guests"]] == ["fox"], reply
        made.log.for_text(b"the door of controller test calls more often")
        # Nobody else waits for it, neither who asks now nor who is told of changes.
        for _ in range(50):
            assert made.state()["vms"][0]["state"] == "running"
        assert len(answers(link, 2)) == 2  # some of them were heard after all
        assert writer.is_alive()
        assert made.log.text.count(b"calls more often") == 1, made.log.text
        link.shutdown(socket.SHUT_RDWR)
        writer.join()
        assert made.process.poll() is None


def a_call_that_wants_no_answer_is_not_done_and_ends_the_door():
    with scene() as made:
        with made.door() as link:
            call = message("StopGuest", oneway=True, parameters={"guest": "fox", "force": True})
            with contextlib.suppress(OSError):
                link.sendall(call * 1000)
            with contextlib.suppress(ConnectionError):
                assert link.recv(1) == b""
        with made.door() as link:
            link.sendall(message("ListGuests"))
            assert answers(link, 1)[0]["parameters"]["guests"][0]["state"] == "running"
        assert b"stop guest" not in made.log.text, made.log.text


def nobody_waits_for_the_end_of_a_guest_when_who_asked_has_gone():
    with scene() as made:
        gone = b"audit: controller test: stop guest fox: failed: who asked for it has gone"
        # One that the daemon has not begun when it sees the end of the connection is not done.
        for _ in range(20):
            with made.door() as link:
                # Each process has a test driver of its own: the daemon never hears of an end.
                # Read in one piece with what is answered.
                link.sendall(message("ListGuests") + message(
                    "StopGuest", parameters={"guest": "fox", "timeoutSeconds": 3600}))
                answers(link, 1)
            if gone in made.log.text:
                break
        made.log.for_text(gone)
        assert made.process.poll() is None


def calls(link, *texts):
    """The answers to calls that are written as they are."""
    for text in texts:
        link.sendall(text.encode() + b"\0")
        yield text, answers(link, 1)[0]


def what_is_no_call_ends_its_connection_alone():
    rubbish = {
        "no JSON": b"\x89PORTAL\n\0",
        "no text": b'{"method":"org.portal.Door.\xff\xfe"}\0',
        "nothing": b"\0" * 4096,
        "no object": b'"org.portal.Door.ListGuests"\0',
        "deep arrays": b"[" * 100000 + b"\0",
        "deep objects": b'{"method":' * 100000 + b"\0",
        "a NUL in a name": b'{"method":"org.portal.Door.StartGuest",'
                           b'"parameters":{"guest":"fox\\u0000"}}\0',
        "twice the same key": b'{"method":"org.portal.Door.ListGuests","method":7}\0',
    }
    for name, data in rubbish.items():
        with scene() as made, made.door() as link:
            with contextlib.suppress(OSError):
                link.sendall(data)
            reply = b""
            with contextlib.suppress(ConnectionError):
                reply = link.recv(65536)
            assert reply == b"" or b'"error":"' in reply, f"{name}: {reply}"
            assert made.state()["vms"][0]["state"] == "running", name
            assert b"start guest" not in made.log.text, made.log.text


def one_who_writes_half_a_call_and_one_who_goes_in_the_middle_of_an_answer_hold_up_nobody():
    whole = message("ListGuests")
    with scene() as made:
        with made.door() as link:
            for byte in whole[:-1]:
                link.sendall(bytes([byte]))
                assert made.state()["vms"][0]["state"] == "running"
        with made.door() as link:
            link.sendall(whole * 100)
            link.recv(1)
        with made.door() as link:
            link.sendall(whole)
            assert answers(link, 1)[0]["parameters"]["guests"][0]["name"] == "fox"
        assert made.process.poll() is None


def a_guest_of_any_name_and_any_number_are_refused():
    door = "org.portal.Door."
    deep = '{"a":' * 600 + "1" + "}" * 600
    with scene() as made, made.door() as link:
        for text, reply in calls(link, *(
                f'{{"method":"{door}{method}","parameters":{{"guest":{guest}{more}}}}}'
                for method, more in (("StartGuest", ""), ("StopGuest", ""),
                                     ("ReportHeap", ',"used":1'))
                for guest in ('"../fox"', '"fox\\n<0>all is well"', '"fox "', '"FOX"', '"test"',
                              '""', '"%s%n"', '"\\u009b2J"', "7", "null", '["fox"]', deep))):
            assert reply.get("error") in (f"{door}NoSuchGuest",
                                          "org.varlink.service.InvalidParameter"), (text, reply)
        for text, reply in calls(link, *(
                f'{{"method":"{door}ReportHeap","parameters":{{"guest":"fox","used":{used}}}}}'
                for used in ("-1", "1.5", "18446744073709551615", "18446744073709551616", "1e400",
                             "9" * 1000, '"x"', "null", "true", deep))):
            assert "error" in reply, (text, reply)
        assert b"guest fox: " not in made.log.text, made.log.text


def a_long_name_is_a_line_of_the_log_like_any_other():
    with scene() as made, made.door() as link:
        link.sendall(message("StartGuest", parameters={"guest": "\u009b\n\u00e9" * 250}))
        assert answers(link, 1)[0]["error"] == "org.portal.Door.NoSuchGuest"
        made.log.for_text(b"no such guest")
        (line,) = [line for line in made.log.text.split(b"\n") if b"no such guest" in line]
        assert len(line) < 512 and b"\xc2\x9b" not in line, line


def a_call_of_megabytes_costs_the_host_none():
    with scene() as made, made.door() as link:
        used = made.memory()
        call = message("ListGuests", parameters={"x": [0] * 4000000})
        with contextlib.suppress(OSError):
            link.sendall(call)
        with contextlib.suppress(ConnectionError):
            assert link.recv(1) == b""
        made.log.for_text(b"a call of more than 4096 bytes")
        assert made.memory() - used < len(call) // 2, f"{made.memory()} bytes, {used} before"
        assert made.state()["vms"][0]["state"] == "running"


def main():
    sentences.run(
        [
            thousands_of_calls_wait_in_their_connection_and_are_one_line_in_the_log,
            a_call_that_wants_no_answer_is_not_done_and_ends_the_door,
            nobody_waits_for_the_end_of_a_guest_when_who_asked_has_gone,
            what_is_no_call_ends_its_connection_alone,
            one_who_writes_half_a_call_and_one_who_goes_in_the_middle_of_an_answer_hold_up_nobody,
            a_guest_of_any_name_and_any_number_are_refused,
            a_long_name_is_a_line_of_the_log_like_any_other,
            a_call_of_megabytes_costs_the_host_none,
        ],
        sys.argv[2:],
    )


main()

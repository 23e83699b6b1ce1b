"""QEMU's machine protocol over a unix socket, as far as tests need it."""

import json
import socket
import time

from .wait import PATIENCE, Failure


class Qmp:
    """A connection; events that arrive in the meantime are kept for wait_event()."""

    def __init__(self, connection):
        self._socket = connection
        self._file = connection.makefile("rwb")
        self._events = []
        self._read(PATIENCE)  # the greeting
        self.execute("qmp_capabilities")

    @classmethod
    def connect(cls, path):
        """Connects to a socket on which QEMU listens."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        return cls(connection)

    def close(self):
        self._file.close()
        self._socket.close()

    def _read(self, patience):
        self._socket.settimeout(max(patience, 0.001))
        line = self._file.readline()
        if not line:
            raise Failure("QEMU closed its monitor")
        return json.loads(line)

    def execute(self, command, **arguments):
        """Runs a command and returns what it returns."""
        self._file.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._file.flush()
        while True:
            message = self._read(PATIENCE)
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise Failure(f"QEMU refused {command}: {message['error']['desc']}")
            else:
                return message["return"]

    def wait_event(self, names, patience=PATIENCE):
        """Returns the next event that has one of these names, dropping others; None: none came."""
        deadline = time.monotonic() + patience
        while True:
            while self._events:
                event = self._events.pop(0)
                if event["event"] in names:
                    return event
            try:
                message = self._read(deadline - time.monotonic())
            except TimeoutError:
                return None
            if "event" in message:
                self._events.append(message)

"""Calls to a varlink service over a unix socket: JSON objects with a zero byte behind each."""

import json
import socket

from .wait import PATIENCE, Failure


def stream(path, method, patience=PATIENCE, **parameters):
    """Calls a method that answers more than once, and yields the parameters of each reply."""
    call = {"method": method, "parameters": parameters, "more": True}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        connection.connect(path)
        connection.sendall(json.dumps(call).encode() + b"\0")
        pending = b""
        while True:
            try:
                data = connection.recv(65536)
            except TimeoutError:
                raise Failure(f"{method}: no further reply in {patience:.0f} s") from None
            if not data:
                raise Failure(f"{method}: the service hung up")
            *messages, pending = (pending + data).split(b"\0")
            for message in messages:
                reply = json.loads(message)
                if "error" in reply:
                    raise Failure(f"{method}: {reply['error']} {reply.get('parameters', '')}")
                yield reply.get("parameters", {})
                if not reply.get("continues"):
                    return


def call(path, method, **parameters):
    """Calls a method and returns its first reply's parameters."""
    return next(stream(path, method, **parameters))

"""Calls to a varlink service over a unix socket: JSON objects with a zero byte behind each."""

import json
import select
import socket

from .wait import PATIENCE, Failure


def stream(path, method, patience=PATIENCE, ended=None, **parameters):
    """Calls a method that answers more than once, and yields the parameters of each reply.

    Ends when the descriptor `ended` becomes readable.
    """
    call = {"method": method, "parameters": parameters, "more": True}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(json.dumps(call).encode() + b"\0")
        pending = b""
        while True:
            waiting = [connection] if ended is None else [connection, ended]
            ready = select.select(waiting, [], [], patience)[0]
            if ended in ready:
                return
            if not ready:
                raise Failure(f"{method}: no further reply in {patience:.0f} s")
            data = connection.recv(65536)
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

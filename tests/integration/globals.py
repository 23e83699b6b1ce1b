"""Prints the interfaces of the globals that the compositor offers to this connection, sorted, one a
line: the Wayland wire itself, so that nothing in between can hide one."""

import os
import socket
import struct


def connect():
    inherited = os.environ.get("WAYLAND_SOCKET")
    if inherited:
        return socket.socket(fileno=int(inherited))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(os.path.join(os.environ["XDG_RUNTIME_DIR"], os.environ["WAYLAND_DISPLAY"]))
    return connection


def message(target, opcode, argument):
    return struct.pack("=IHHI", target, opcode, 12, argument)


def main():
    display, registry, callback = 1, 2, 3
    connection = connect()
    # wl_display.get_registry, wl_display.sync
    connection.sendall(message(display, 1, registry) + message(display, 0, callback))
    data, found = b"", []
    while True:
        data += connection.recv(65536)
        while len(data) >= 8:
            target, opcode, size = struct.unpack_from("=IHH", data)
            if len(data) < size:
                break
            body, data = data[8:size], data[size:]
            if target == callback:
                print("\n".join(sorted(found)))
                return
            if target == registry and opcode == 0:
                (length,) = struct.unpack_from("=I", body, 4)
                found.append(body[8 : 8 + length - 1].decode())


main()

"""What a controller's door gets to see and to do: see hostdtest.py."""

import contextlib
import os
import socket
import threading

from hostdtest import begin, define, Door, GUESTS, Hostd, main, refused, states, TOP, libvirt


def start(finish, work):
    """The daemon, of whose guests and controller none runs, and what its door is given."""
    begin(finish)
    define(finish, "fox", "mail", "game", "work")
    path = os.path.join(work, "door")
    listener = Door(path)
    program = os.path.join(TOP, "tests", "host", "fake_door.py")
    hostd = Hostd(work, GUESTS.format(door=path, budget="1G"), "--door", program).start()
    finish.callback(hostd.stop)
    return hostd, listener


def door(finish, work):
    """What a controller's door gets to see and to do."""
    _, listener = start(finish, work)
    libvirt.virsh("start", "work")
    arguments, link, keeper = listener.accept()
    assert "--controller work" in arguments, arguments
    link.send("ListGuests", more=True)
    assert states(link.receive()) == {"firefox": "off", "mail": "off", "ghost": "undefined"}
    keeper.close()

    arguments, link, keeper = listener.accept()  # it is opened anew
    assert link.call("StartGuest", guest="mail") == {}
    assert link.call("StartGuest", guest="mail") == {}
    assert "running" in libvirt.virsh("domstate", "mail")
    for stranger in ("game", "large", "fox", "work", "../x", ""):
        refused("NoSuchGuest", "for controller work", link.call, "StartGuest", guest=stranger)
        refused("NoSuchGuest", "for controller work", link.call, "StopGuest", guest=stranger)
        refused("NoSuchGuest", "for controller work", link.call, "ReportHeap", guest=stranger,
                used=1)
    refused("InvalidParameter", "guest", link.call, "StartGuest")
    refused("InvalidParameter", "used", link.call, "ReportHeap", guest="firefox", used=-1)
    link.send("ListGuests", more=True)
    libvirt.virsh("destroy", "mail")
    while states(link.receive())["mail"] != "off":
        pass
    link.interface = "org.portal.Host"
    keeper.close()

    arguments, link, keeper = listener.accept()
    link.interface = "org.portal.Host"
    refused("MethodNotFound", "", link.call, "GetState")
    libvirt.virsh("destroy", "work")
    assert keeper.recv(1) == b"", "the door stays when its controller has gone"


def hostile_door(finish, work):
    """A portal-door that its controller has taken over reaches that controller's guests, and holds up
    nobody else."""
    hostd, listener = start(finish, work)
    host = hostd.link()
    host.wait_for("ListGuests", lambda said: states(said)["game"] == "off")
    libvirt.virsh("start", "work")
    assert host.call("StartGuest", guest="game") == {}

    # What is no varlink ends that connection.
    _, link, keeper = listener.accept()
    with contextlib.suppress(ConnectionError):
        link.connection.sendall(b"[" * (64 << 20))
        while link.connection.recv(65536):
            pass
    assert states(host.call("ListGuests"))["game"] == "running"
    keeper.close()

    # Thousands of calls without reading an answer, of which none is the controller's to make.
    _, link, keeper = listener.accept()
    flood = threading.Thread(target=send_all, args=(link, 5000, "StopGuest", "game"))
    flood.start()
    for _ in range(50):
        assert states(host.call("ListGuests"))["game"] == "running"
    with contextlib.suppress(OSError):
        link.connection.shutdown(socket.SHUT_RDWR)
    flood.join()
    keeper.close()

    # One that goes without having read the answer to a start, and one that would wait for ever. (What
    # one sends and goes before it has been read may be lost.)
    _, link, keeper = listener.accept()
    link.send("StartGuest", guest="mail")
    host.wait_for("ListGuests", lambda said: states(said)["mail"] == "running")
    link.close()
    keeper.close()
    _, link, keeper = listener.accept()
    link.send("StopGuest", guest="mail", timeoutSeconds=(1 << 63) - 1)
    link.close()
    keeper.close()
    assert host.call("StopGuest", guest="mail", force=True) == {}
    assert states(host.call("ListGuests")) == {
        "firefox": "off", "large": "undefined", "mail": "off", "ghost": "undefined",
        "game": "running"}
    assert hostd.process.poll() is None


def send_all(link, count, method, guest):
    with contextlib.suppress(OSError):
        for _ in range(count):
            link.send(method, guest=guest, force=True)


main({"door": door, "hostile-door": hostile_door})

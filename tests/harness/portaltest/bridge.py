"""Bridges, asked on their control sockets."""

import json


def control(session, name):
    return f"unix:{session.runtime}/portal/bridge-{name}.varlink"


def call(session, name, method, parameters="{}", more=False):
    """A call on the bridge's control socket; what it answers, one object a reply."""
    flags = ["--more"] if more else []
    lines = session.run(
        "varlinkctl",
        ["varlinkctl", "-j", *flags, "call", control(session, name), method, parameters],
    )
    # A sequence of texts, each after a record separator (RFC 7464).
    return [json.loads(line.strip("\x1e")) for line in lines if line.strip("\x1e")]


def heap_in_buffers(session, name):
    """Bytes of the guest's heap that the bridge has seen in buffers lately."""
    return call(session, name, "org.portal.Bridge.GetState")[0].get("heapInBuffers", 0)

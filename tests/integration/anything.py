"""Whatever a guest says that its tables allow, through the bridge, the compositor stays.

anything.py COMPOSITOR SEED CONNECTIONS MESSAGES
"""

import os
import sys

from portaltest import case, programs


def the_compositor_survives_whatever_a_guest_says(compositor_kind, seed, connections, messages):
    with case.desktop(f"anything-{seed}", compositor_kind) as (session, compositor):
        compositor.input.move(400, 300)  # so that the seat has a pointer and a keyboard
        path = os.path.join(session.directory, "anything")
        random = session.start(
            "test-random",
            [programs.built("tests/wire/test-random"), path, seed, connections, messages],
        )
        random.expect("listening")
        bridge = session.start(
            "portal-bridge-anything",
            [programs.BRIDGE, "--vm", "anything", "--transport", f"unix:{path}", "--heap",
             "memfd:"],
            compositor.env,
        )
        last = ""
        while last not in ("end", "lost"):
            last = random.expect(r"(connection \d+|end|lost)").group(1)
            assert compositor.process.alive(), f"{last}\n{compositor.process.details()}"
        assert last == "end", f"{random.details()}\n{bridge.details()}"
        # It still shows windows to others.
        client = session.start("test-client", [programs.TEST_CLIENT, "scale"], compositor.env)
        client.expect("ready.*")
        client.stop()
        assert bridge.stop() == 0, bridge.details()
        random.expect("closed .*")


case.run([the_compositor_survives_whatever_a_guest_says], [], *sys.argv[1:])

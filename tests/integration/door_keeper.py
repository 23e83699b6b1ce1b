"""A controller VM's keeper of a guest, and what it asks the host for.

door_keeper.py [TEST...]
"""

import os
import signal
import sys

from portaltest import case, programs
from portaltest.bridge import heap_in_buffers
from portaltest.deadline import until
from portaltest.door import KEEPER, kept


def the_use_of_a_heap_is_told_to_the_host():
    with kept("door-heap-use") as scene:
        scene.host.answers["ReportHeap"] = lambda _: None
        client = scene.start("vm:post", "--", programs.TEST_CLIENT, "resize")
        until("the window's pixels to be there", lambda: heap_in_buffers(scene.session, "post") > 0)
        for pid in scene.processes("test-client", "resize"):
            if pid != client.pid:
                os.kill(pid, signal.SIGTERM)
        client.wait_exit()
        for pid in scene.processes(KEEPER):
            os.kill(pid, signal.SIGTERM)
        until("the report", lambda: scene.called()[-1] == "ReportHeap")
        # It has its answer then, and nobody is left behind.
        until("the keeper to end", lambda: not scene.processes(KEEPER))
        _, report = scene.host.calls[-1]
        # The guest's name at the host, and a window of 200x150 at least.
        assert report["guest"] == "mail" and 200 * 150 * 4 <= report["used"] <= 16 << 20, report


def the_end_of_a_guest_is_noticed():
    with kept("door-end") as scene:
        assert scene.processes(KEEPER)
        # The agent alone may come back.
        asked = len(scene.host.calls)
        scene.agent.stop()
        until("the host to be asked", lambda: "ListGuests" in scene.called(asked))
        assert scene.processes(KEEPER)
        scene.states["mail"] = "off"
        until("the keeper to end", lambda: not scene.processes(KEEPER))


case.run([the_use_of_a_heap_is_told_to_the_host, the_end_of_a_guest_is_noticed], sys.argv[1:])

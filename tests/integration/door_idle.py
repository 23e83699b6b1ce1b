"""A guest without windows is shut down, or not, when its host does not want to.

door_idle.py [TEST...]
"""

import sys

from portaltest import case
from portaltest.deadline import until
from portaltest.door import KEEPER, Host, kept


def a_shutdown_that_is_refused_is_tried_again():
    with kept("door-idle", "\tidle-stop 1\n") as scene:
        answers = []

        def stop(parameters):
            answers.append(parameters)
            if len(answers) == 1:
                raise Host.Refusal("Refused", "a backup is being made")
            scene.states["mail"] = "off"

        scene.host.answers["StopGuest"] = stop
        until("the guest to be shut down", lambda: len(answers) == 1)
        assert scene.processes(KEEPER)
        until("it to be tried again", lambda: len(answers) == 2)
        assert [answer["guest"] for answer in answers] == ["mail", "mail"], answers
        scene.agent.stop()  # as all of the guest
        until("the keeper to end", lambda: not scene.processes(KEEPER))


case.run([a_shutdown_that_is_refused_is_tried_again], sys.argv[1:])

#!/usr/bin/env python3
"""In portal-door's place: hands its connection to the test that listens at --transport unix:PATH,
and ends when the test hangs up."""

import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as test:
    test.connect(sys.argv[sys.argv.index("--transport") + 1].removeprefix("unix:"))
    socket.send_fds(test, [" ".join(sys.argv[1:]).encode()], [3])
    os.closerange(3, 3 + int(sys.argv[sys.argv.index("--connections") + 1]))
    test.recv(1)

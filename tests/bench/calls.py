"""System calls, as strace counts them."""

import signal
import subprocess

from processes import children


class Calls:
    """The system calls of processes and of their children while the context lasts, by name."""

    def __init__(self, processes):
        self.pids = children([process.pid for process in processes])
        self.by_name = {}

    def __enter__(self):
        command = ["strace", "-f", "-c", "-U", "calls,name"]
        for pid in self.pids:
            command += ["-p", str(pid)]
        self.strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for _ in self.pids:
            self.strace.stderr.readline()  # "strace: Process N attached"
        return self

    def __exit__(self, *_):
        self.strace.send_signal(signal.SIGINT)
        for line in self.strace.communicate()[1].splitlines():
            words = line.split()
            if len(words) == 2 and words[0].isdigit() and words[1] != "total":
                self.by_name[words[1]] = int(words[0])

    def per_frame(self, frames):
        return {name: count / frames for name, count in self.by_name.items()}

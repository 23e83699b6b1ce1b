"""Child processes: their lines, their exit, what they leave behind."""

import os
import re
import signal
import subprocess

from .deadline import Deadline


class Process:
    """A child whose standard output is read line by line and whose errors go to a log file."""

    def __init__(self, name, command, env, log_directory, pass_fds=()):
        self.name = name
        self.lines = []  # whole lines printed so far
        self.expected = 0  # lines[:expected] have been looked at by expect()
        self._partial = b""
        self.log_path = os.path.join(log_directory, name + ".log")
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                pass_fds=pass_fds,
            )
        os.set_blocking(self.popen.stdout.fileno(), False)
        self.pidfd = os.pidfd_open(self.popen.pid)
        self.eof = False

    @property
    def pid(self):
        return self.popen.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def details(self):
        """What a failure message says about this process."""
        state = self.popen.poll()
        shown = "\n".join(self.lines[-40:])
        return (
            f"--- {self.name}: {'running' if state is None else f'exit {state}'}; its output:\n"
            f"{shown}\n--- {self.name}: its log:\n{self.log()[-6000:]}"
        )

    def _read(self):
        """Takes in what stands in the pipe; False when there was nothing."""
        try:
            data = os.read(self.popen.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        if not data:
            self.eof = True
        *whole, self._partial = (self._partial + data).split(b"\n")
        self.lines += [line.decode("utf-8", "replace") for line in whole]
        return bool(data)

    def drain(self):
        """Takes in all that has been printed so far, without waiting."""
        while not self.eof and self._read():
            pass
        return self.lines

    def expect(self, pattern):
        """Waits for a line that matches the regular expression from its start to its end; lines
        before it are skipped. Returns the match."""
        deadline = Deadline(f"{self.name} to print /{pattern}/")
        while True:
            match = re.fullmatch(pattern, self.next_line(deadline))
            if match:
                return match

    def expect_all(self, *patterns):
        """Waits until a line has matched each of the patterns, in whatever order."""
        deadline = Deadline(f"{self.name} to print each of {patterns}")
        missing = list(patterns)
        while missing:
            line = self.next_line(deadline)
            missing = [pattern for pattern in missing if not re.fullmatch(pattern, line)]

    def next_line(self, deadline):
        """Waits for the next line that has not been looked at, and returns it."""
        while self.expected == len(self.lines):
            if self.eof:
                self.wait_exit()
                raise AssertionError(
                    f"{self.name} ended while waiting for {deadline.what}\n{self.details()}"
                )
            deadline.wait_readable(self.popen.stdout.fileno(), self.details)
            self._read()
        self.expected += 1
        return self.lines[self.expected - 1]

    def send(self, line):
        os.write(self.popen.stdin.fileno(), line.encode() + b"\n")

    def close_input(self):
        if self.popen.stdin and not self.popen.stdin.closed:
            self.popen.stdin.close()

    def alive(self):
        return self.popen.poll() is None

    def wait_exit(self):
        """Waits for the end and returns the exit status, negative for a signal."""
        deadline = Deadline(f"{self.name} to exit")
        while self.popen.poll() is None:
            deadline.wait_readable(self.pidfd, self.details)
        while not self.eof:
            deadline.wait_readable(self.popen.stdout.fileno(), self.details)
            self._read()
        return self.popen.returncode

    def stop(self, number=signal.SIGTERM):
        """Ends it if it still runs; returns the exit status."""
        self.close_input()
        if self.alive():
            self.popen.send_signal(number)
        return self.wait_exit()

    def kill(self):
        if self.alive():
            self.popen.kill()
        self.wait_exit()

    def release(self):
        """Closes this side's descriptors; for use after the end."""
        self.close_input()
        self.popen.stdout.close()
        os.close(self.pidfd)


def descriptors(pid):
    """How many descriptors a process has open; None when it has gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def children(pid):
    """A process's children, such as the confined one that a bridge runs in."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def stands_still(pid):
    """Whether a process runs no further, since it was stopped or has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in "TtZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wakeups(pids):
    """How often the threads of these processes have gone to sleep, which is as often as they woke."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
                total += sum(int(l.split()[1]) for l in file if l.startswith("voluntary_ctxt"))
    return total


def is_listening(path):
    """Whether a unix socket of that path accepts connections, told without making one."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        for line in file:
            # Num RefCount Protocol Flags Type St Inode Path; the flag is __SO_ACCEPTCON.
            fields = line.split()
            if len(fields) == 8 and fields[7] == path and int(fields[3], 16) & 0x10000:
                return True
    return False


def unix_sockets(pid):
    """The connected unix sockets of a process, as (descriptor, path) pairs; the path is that of the
    listening socket which accepted it, None where there is none."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        # Num RefCount Protocol Flags Type St Inode Path; the state is SS_CONNECTED.
        table = [line.split() for line in file]
    connected = {row[6]: row[7] if len(row) > 7 else None for row in table if row[5] == "03"}
    found = []
    for number, link in descriptor_links(pid):
        socket = re.fullmatch(r"socket:\[(\d+)\]", link)
        if socket and socket.group(1) in connected:
            found.append((number, connected[socket.group(1)]))
    return found


def descriptor_links(pid):
    """What a process's descriptors are, as (descriptor, link) pairs."""
    found = []
    for number in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        try:
            found.append((int(number), os.readlink(f"/proc/{pid}/fd/{number}")))
        except FileNotFoundError:
            pass
    return found


def descriptor_list(pid):
    """The same, for a failure message."""
    return "\n".join(f"{number} {link}" for number, link in descriptor_links(pid))


def mappings(pid):
    """How many memory mappings a process has."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        return sum(1 for _ in file)


def strays(environment_mark):
    """Processes whose environment holds the mark, as (pid, command) pairs."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                environment = file.read()
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if environment_mark.encode() in environment and command:
            found.append((int(entry), command))
    return found

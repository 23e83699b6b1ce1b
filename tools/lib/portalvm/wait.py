"""Waiting for what a process does, never for time to pass: deadlines only end waits that failed."""

import contextlib
import ctypes
import os
import select
import selectors
import subprocess
import threading
import time

# Emulated machines are slow, and CI runs several tests at once.
PATIENCE = float(os.environ.get("PORTAL_TEST_PATIENCE", "300"))

_IN_CREATE_MOVED_TO = 0x100 | 0x80
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """What went wrong, in a sentence for the user."""


def _watch(descriptor, path):
    if _libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_CREATE_MOVED_TO) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path)


def for_path(path, process=None, patience=PATIENCE):
    """Waits until path exists; process: whose early end is a failure. The directory must exist."""
    deadline = time.monotonic() + patience
    descriptor = _libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    try:
        with selectors.DefaultSelector() as selector:
            _watch(descriptor, os.path.dirname(path) or ".")
            selector.register(descriptor, selectors.EVENT_READ)
            pidfd = None if process is None else os.pidfd_open(process.pid)
            if pidfd is not None:
                selector.register(pidfd, selectors.EVENT_READ)
            while not os.path.exists(path):
                left = deadline - time.monotonic()
                ready = [key.fd for key, _ in selector.select(max(left, 0))]
                if pidfd in ready:
                    os.close(pidfd)
                    raise Failure(f"{process.args[0]} ended before it made {path}")
                if descriptor in ready:
                    os.read(descriptor, 4096)
                elif left <= 0:
                    raise Failure(f"no {path} after {patience:.0f} s")
            if pidfd is not None:
                os.close(pidfd)
    finally:
        os.close(descriptor)


class Follower:
    """Reads a stream of bytes to its end in a thread; others wait for what it says.

    Kept whole in `text`, so that nothing said before a wait began is missed. copy_to: a binary file
    that gets everything as it comes.
    """

    def __init__(self, stream, name, copy_to=None):
        self.text = b""
        self.ended = False
        self._name = name
        self._copy_to = copy_to
        self._stream = stream
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            select.select([self._stream], [], [])
            with self._changed:
                data = os.read(self._stream.fileno(), 65536)
                if data and self._copy_to:
                    self._copy_to.write(data)
                    self._copy_to.flush()
                self.text += data
                self.ended = not data
                self._changed.notify_all()
            if not data:
                return

    def for_text(self, wanted, start=0, patience=PATIENCE, unless=()):
        """Waits until wanted (bytes) was said at or after offset start; returns the offset behind.

        patience None: for ever. unless: what was said (bytes each) when there is nothing to wait for.
        """
        def over():
            return self.ended or any(text in self.text for text in unless)

        with self._changed:
            self._changed.wait_for(lambda: self.text.find(wanted, start) >= 0 or over(), patience)
            position = self.text.find(wanted, start)
            if position < 0:
                tail = self.text[-2000:].decode(errors="replace")
                reason = "ended" if over() else f"was silent for {patience:.0f} s"
                raise Failure(f"{self._name} {reason} without saying {wanted!r}:\n{tail}")
            return position + len(wanted)

    def drain(self):
        """Waits until all that has been said was read: of a stream that others hold open."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or not self._has_more(), PATIENCE)

    def _has_more(self):
        return bool(select.select([self._stream], [], [], 0)[0])

    def join(self, patience=PATIENCE):
        """Waits for the stream's end."""
        self._thread.join(patience)


def start(command, name, copy_to=None, **options):
    """Starts a process whose standard error and output are followed: (process, follower)."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        **options,
    )
    return process, Follower(process.stdout, name, copy_to)


@contextlib.contextmanager
def watched(process):
    """A descriptor that becomes readable when a process ends."""
    descriptor = os.pidfd_open(process.pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def stop(process, patience=30):
    """Asks a process to end, and makes it."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


__all__ = ["Failure", "Follower", "PATIENCE", "for_path", "start", "stop", "watched"]

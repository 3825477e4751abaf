"""A child process of our own that answers in frames: four bytes of length, big-endian, then as many bytes.

Its answers are untrusted, because it has run third-party code.
"""

from __future__ import annotations

import select
import struct
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence


class ChildGoneError(Exception):
    """The child died, or sent something too long."""


class ChildLateError(ChildGoneError):
    """The child sent nothing in time."""


class FramedChild:
    """A Python process with two pipes. It ends when it is no longer used, even if it isn't killed."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], *, own_session: bool = False) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own program with our own numbers
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # An error may print an input. Nothing of it may reach our log.
            stderr=subprocess.DEVNULL,
            env=env,
            cwd="/",
            bufsize=0,
            start_new_session=own_session,
        )
        self.kill = weakref.finalize(self, _end, self.process)

    def send(self, frame: bytes) -> None:
        """Sends a frame. Raises ChildGoneError."""
        assert self.process.stdin is not None
        view = memoryview(struct.pack(">I", len(frame)) + frame)
        try:
            while view:  # an unbuffered pipe may take less than it is given
                view = view[self.process.stdin.write(view) or 0 :]
        except OSError:
            raise ChildGoneError("it exited") from None

    def receive(self, seconds: float, most: int) -> bytes:
        """Returns the next frame of at most ``most`` bytes. Raises ChildGoneError, after ``seconds`` ChildLateError."""
        # A deadline for the whole frame: one byte at a time must not extend it.
        deadline = time.monotonic() + seconds
        size = struct.unpack(">I", self._read(4, deadline))[0]
        if size > most:
            raise ChildGoneError("its reply is too long")
        return self._read(size, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        data = bytearray()
        while len(data) < size:
            # A blocking read could wait forever for a child that hangs.
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ChildLateError("no reply in time")
            piece = self.process.stdout.read(min(size - len(data), 1 << 20))
            if not piece:
                raise ChildGoneError("it exited")
            data += piece
        return bytes(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    # Reaps the child. Without it, each kill would leave a zombie.
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()

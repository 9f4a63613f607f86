"""A network of one's own for a thread and all that it starts: loopback, and every port free."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_UP = 0x1


@contextmanager
def own_network() -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _must(libc.unshare(_CLONE_NEWNET))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            fcntl.ioctl(asked, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _UP))
        yield
    finally:
        _must(libc.setns(before, _CLONE_NEWNET))
        os.close(before)


def _must(answer: int) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), "a network of one's own is not allowed here")

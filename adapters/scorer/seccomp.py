"""Takes system calls away from this process and its children, for good (seccomp filters of Linux).

Uses the standard library only: it runs in the processes of own scorers. No maintained library does this without a
shared library of its own, which the slim images lack. A call that is not allowed fails with EPERM.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Mapping

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 4, 22, 38, 1
SECCOMP_MODE_FILTER = 2
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
"""Instructions of a filter (linux/filter.h): load a word, jump if equal, return."""
NUMBER, ARCHITECTURE = 0, 4
"""Offsets in ``struct seccomp_data``."""

COMPUTING: Mapping[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sched_yield": (24, 124), "mremap": (25, 216),
    "madvise": (28, 233), "nanosleep": (35, 101), "getpid": (39, 172), "exit": (60, 93), "gettimeofday": (96, 169),
    "getrusage": (98, 165), "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175),
    "getegid": (108, 177), "getppid": (110, 173), "sigaltstack": (131, 132), "gettid": (186, 178), "time": (201, None),
    "futex": (202, 98), "restart_syscall": (219, 128), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115), "exit_group": (231, 94), "set_robust_list": (273, 99), "getrandom": (318, 278),
    "membarrier": (324, 283), "rseq": (334, 293),
}  # fmt: skip
"""Calls that compute, sleep, end, or use a descriptor that is open: the number on x86_64, and on aarch64."""
SUPERVISING: Mapping[str, tuple[int | None, int | None]] = {
    **COMPUTING,
    "open": (2, None), "stat": (4, None), "lstat": (6, None), "poll": (7, None), "ioctl": (16, 29), "pread64": (17, 67),
    "readv": (19, 65), "access": (21, None), "pipe": (22, None), "select": (23, None), "dup": (32, 23),
    "dup2": (33, None), "clone": (56, 220), "fork": (57, None), "wait4": (61, 260), "kill": (62, 129),
    "uname": (63, 160), "fcntl": (72, 25), "getcwd": (79, 17), "readlink": (89, None), "sysinfo": (99, 179),
    "prctl": (157, 167), "sched_getaffinity": (204, 123), "getdents64": (217, 61), "set_tid_address": (218, 96),
    "openat": (257, 56), "newfstatat": (262, 79), "readlinkat": (267, 78), "faccessat": (269, 48),
    "pselect6": (270, 72), "ppoll": (271, 73), "dup3": (292, 24), "pipe2": (293, 59), "prlimit64": (302, 261),
    "statx": (332, 291), "close_range": (436, 436), "faccessat2": (439, 439),
}  # fmt: skip
"""Also those that import modules, start children and end them. None of them reaches a network or runs a program."""


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict(calls: Mapping[str, tuple[int | None, int | None]]) -> None:
    """Allows only ``calls`` from now on. A second filter can only take away more.

    Raises OSError where the kernel or a container's own profile refuses, and on other systems and processors.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in AUDIT_ARCH or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, f"no filter for system calls on {sys.platform} ({machine or 'unknown'})")
    program = _program(AUDIT_ARCH[machine], [numbers[machine == "aarch64"] for numbers in calls.values()])
    told = _Filter(len(program) // 8, program)
    # Without it, only root may set a filter. It also keeps programs from gaining rights.
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(told))


def hide() -> None:
    """Keeps other processes of this user from tracing this one and from reading its memory and environment."""
    if sys.platform == "linux":
        _prctl(PR_SET_DUMPABLE, 0)


def die_with_parent() -> None:
    """Ends this process when its parent ends."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, 9)


def _program(architecture: int, numbers: list[int | None]) -> bytes:
    # Another architecture, such as 32-bit calls on a 64-bit kernel, numbers its calls differently.
    code = [(LOAD, 0, 0, ARCHITECTURE), (JUMP_IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    for number in numbers:
        if number is not None:
            code += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, REFUSE))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _prctl(option: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    four = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *four) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {errno.errorcode.get(code, code)}")

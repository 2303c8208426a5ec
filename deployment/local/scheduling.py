#!/usr/bin/python3
"""Runs a command with its place in the queue for a processor: `scheduling.py prompt|yielding COMMAND...`.

prompt: somebody waits for it. It asks for short turns (a slice of 0.1 ms), so that it gets a processor soon after it wakes up; its
share stays the same. Linux 6.12 and later; nothing changes on earlier ones.
yielding: nobody waits for it. SCHED_IDLE, so that a processor that runs it counts as free for those who wake up, and its session has a
tenth of the usual weight while processors are short, so that it gets its share all the same.

No privilege is needed. See docs/adr/0008.
"""

import ctypes
import os
import platform
import struct
import sys

SLICE_NS = 100_000  # The least that the kernel grants.
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # System call numbers.
AUTOGROUP_NICE = 10  # About a tenth of the usual weight, see sched(7).


def prompt() -> None:
    """Asks for short turns."""
    number = SCHED_SETATTR.get(platform.machine())
    if number is None:
        return
    # struct sched_attr, first version: size, policy, flags, nice, priority, runtime, deadline, period.
    attributes = struct.pack("IIQiIQQQ", 48, os.SCHED_OTHER, 0, 0, 0, SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(number, 0, attributes, 0)


def yielding() -> None:
    """Takes what others leave."""
    grouped = False
    try:
        with open("/proc/sys/kernel/sched_autogroup_enabled", encoding="ascii") as enabled:
            grouped = enabled.read().strip() == "1"
        with open("/proc/self/autogroup", "w", encoding="ascii") as weight:
            weight.write(str(AUTOGROUP_NICE))
    except OSError:
        grouped = False  # A kernel without groups by session, or one that takes no more changes now.
    # Outside a group SCHED_IDLE has next to no share.
    os.sched_setscheduler(0, os.SCHED_IDLE if grouped else os.SCHED_BATCH, os.sched_param(0))


if __name__ == "__main__":
    {"prompt": prompt, "yielding": yielding}[sys.argv[1]]()
    os.execvp(sys.argv[2], sys.argv[2:])

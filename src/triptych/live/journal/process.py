"""Which process of which machine: enough to know for certain that a holder of a lease is dead, and nothing less.

A number alone says little. Containers may share a hostname and each count their processes from 1, and a number is given
again to another process. So a process is known by the kernel it runs under (its boot), the space in which its number is
counted, and the moment at which it began; whatever cannot be seen from here is taken to be alive.
"""

from __future__ import annotations

import os
from pathlib import Path

UNKNOWN = "-"


def is_process_alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def machine_id() -> str:
    """Boot and space of process numbers, in which a number means one process; `UNKNOWN` where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return UNKNOWN
    return f"{boot}.{str(space).strip('pid:[]')}"


def started_of(pid: int) -> str:
    """When a process began, ticks since the boot; `UNKNOWN` where that cannot be seen."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return UNKNOWN
    return words[19]

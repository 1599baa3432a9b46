"""Peak resident memory of a piece of work, measured in a fresh process of its own. Linux only: it reads /proc.

def weigh(kind: str) -> Callable[[], object]:
    inputs = ...            # what is made here, and imports, do not count
    return lambda: work(kind, inputs)

peak_mb("benchmarks.NAME:weigh", "ours")
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def peak_mb(work: str, *arguments: str) -> float:
    """Megabytes (10^6 bytes) by which the resident memory of a fresh process rises at most while it works, one thread.

    Args:
        work: "MODULE:FUNCTION"; the function takes texts, prepares, and returns what is to be measured.
        arguments: of the function.

    Raises RuntimeError with the end of what the process said when it fails, and where there is no /proc.
    """
    command = [sys.executable, "-m", "benchmarks._memory", work, *arguments]
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-500:]}")
    return float(done.stdout.splitlines()[-1])


def measured_mb(work: str, *arguments: str) -> float:
    """What `peak_mb` asks of its process: call it in a fresh one only."""
    module, function = work.split(":")
    run = getattr(import_module(module), function)(*arguments)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the highest so far becomes what there is now
    before = _resident_bytes("VmHWM")
    run()
    return 1e-6 * (_resident_bytes("VmHWM") - before)


def _resident_bytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None, f"/proc/self/status tells no {name}"
    return 1024 * int(found[1])


if __name__ == "__main__":
    print(measured_mb(*sys.argv[1:]))

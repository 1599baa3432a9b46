"""Seeds of the parts of a run, all derived from one seed, independent of one another."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *labels: str | int) -> int:
    """A seed in 0 .. 2**63 - 1 for the part named by `labels`, such as `derive_seed(7, "shuffle", epoch)`.

    A pure function: what a run draws in epoch 12 does not depend on whether epochs 0 to 11 ran in the same process.
    """
    text = "|".join(str(part) for part in (seed, *labels))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1

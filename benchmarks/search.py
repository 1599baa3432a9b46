"""How wrong is a latency that is translated from one machine to another? Checked between 1 and 2 threads of this one.

    python -m benchmarks.search [--quick] [--json FILE]

Both "machines" time the six reference networks. Networks that are no references are then timed on one thread, and their
latency on two threads is foretold from it. Ours is what was foretold, the peer is what was measured on two threads.
"""

from __future__ import annotations

from benchmarks._table import Row, main
from triptych.bootstrap import profile
from triptych.bootstrap.profiling import Reference
from triptych.domain import CANDLE_FIELDS
from triptych.inference.latency import measure, prediction_call
from triptych.inference.profile import Translation

_CHART = {"name": "candlestick", "height": 48, "width": 96}
CANDIDATES = {
    "efficientnet 0.15 x 0.25 on gasf 24": Reference(
        model="efficientnet_b0", width=0.15, depth=0.25, encoding={"name": "gasf"}, length=24
    ),
    "efficientnet 0.35 x 0.25 on candlestick 32": Reference(
        model="efficientnet_b0", width=0.35, depth=0.25, encoding=_CHART, length=32
    ),
    "lenet5 on gasf 32": Reference(model="lenet5", width=1.0, depth=1.0, encoding={"name": "gasf"}, length=32),
    "googlenet 0.375 on candlestick 48": Reference(
        model="googlenet", width=0.375, depth=1.0, encoding=_CHART, length=48
    ),
    "efficientnet 0.75 on candlestick 48": Reference(
        model="efficientnet_b0", width=0.75, depth=0.75, encoding=_CHART, length=48
    ),
}


def latency(reference: Reference, threads: int, round_s: float) -> float:
    """Median milliseconds of one prediction."""
    call = prediction_call(reference.classifier(), length=reference.length, width=len(CANDLE_FIELDS), threads=threads)
    return measure(call, round_s=round_s).p50_ms


def rows(quick: bool) -> list[Row]:
    """One row a network, and the two ways."""
    round_s = 0.05 if quick else 0.3
    machines = {threads: profile(threads=threads) for threads in (1, 2)}
    found = []
    for source, goal in ((1, 2), (2, 1)):
        translation = Translation(machines[source], machines[goal])
        for name, reference in CANDIDATES.items():
            foretold = translation.milliseconds(latency(reference, source, round_s))
            measured = latency(reference, goal, round_s)
            found.append(
                Row(
                    name=f"{name}: {source} thread{'s' if source > 1 else ''} to {goal}",
                    ours=foretold, peer=measured, peer_name="measured", unit="ms", lower_is_better=True,
                )
            )  # fmt: skip
    return found


if __name__ == "__main__":
    main(rows, "Latency of a prediction on another number of threads: foretold through profiles, and measured.")

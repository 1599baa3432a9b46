"""Measures this machine: reference networks as they would be served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from triptych.bootstrap.provenance import machine
from triptych.bootstrap.telling import Tell, silent
from triptych.images import create_encoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.latency import measure, prediction_call, step_call
from triptych.inference.profile import Profile, Timing
from triptych.models import create_model

ROUND_S: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A network with its encoding that every machine times."""

    model: str
    width: float = 1.0
    depth: float = 1.0
    sequence: Mapping[str, Any] = field(default_factory=dict)
    encoding: Mapping[str, Any]
    length: int

    def classifier(self) -> WindowClassifier:
        """The untrained network: how long a prediction takes does not depend on the weights."""
        encoding = create_encoding(length=self.length, **self.encoding)
        wishes: dict[str, Any] = {"sequence": self.sequence} if self.sequence else {}
        network = create_model(
            self.model, in_chans=encoding.channels, num_classes=3, width=self.width, depth=self.depth, seed=0, **wishes
        )
        return WindowClassifier(encoding, network)

    def call(self, threads: int) -> Callable[[], object]:
        """A call that predicts one window."""
        width = len(create_encoding(length=self.length, **self.encoding).columns)
        return prediction_call(self.classifier(), length=self.length, width=width, threads=threads)


_GRAMIAN: Final = {"name": "gasf"}
_CHART: Final = {"name": "candlestick", "height": 48, "width": 96}
_XLSTM: Final = Reference(
    model="xlstm_small",
    sequence={"width": 64, "blocks": 2, "heads": 4, "ratio": (1, 1)},
    encoding={"name": "sequence", "factors": 22},
    length=64,
)
REFERENCES: Final = {
    "efficientnet 0.1 on gasf 16": Reference(
        model="efficientnet_b0", width=0.1, depth=0.1, encoding=_GRAMIAN, length=16
    ),
    "efficientnet 0.25 on candlestick 48": Reference(
        model="efficientnet_b0", width=0.25, depth=0.25, encoding=_CHART, length=48
    ),
    "efficientnet 0.5 on candlestick 48": Reference(
        model="efficientnet_b0", width=0.5, depth=0.5, encoding=_CHART, length=48
    ),
    "googlenet 0.25 on candlestick 48": Reference(model="googlenet", width=0.25, depth=1.0, encoding=_CHART, length=48),
    "googlenet 0.5 on candlestick 48": Reference(model="googlenet", width=0.5, depth=1.0, encoding=_CHART, length=48),
    "efficientnet 1 on candlestick 48": Reference(
        model="efficientnet_b0", width=1.0, depth=1.0, encoding=_CHART, length=48
    ),
    "xlstm 64, 2 blocks, on 22 factors of 64 candles": _XLSTM,
}
"""From a fifth of a millisecond to ten on a PC of today."""
STEPS: Final = {
    "xlstm 16, 1 block, on 5 factors": Reference(
        model="xlstm_small",
        sequence={"width": 16, "blocks": 1, "heads": 2, "ratio": (1, 0)},
        encoding={"name": "sequence", "factors": 5},
        length=64,
    ),
    "xlstm 64, 2 blocks, on 22 factors": _XLSTM,
    "xlstm 256, 4 blocks, on 22 factors": replace(
        _XLSTM, sequence={"width": 256, "blocks": 4, "heads": 4, "ratio": (1, 1)}
    ),
}
"""From some microseconds to half a millisecond."""


def profile(*, threads: int = 1, names: tuple[str, ...] = (), tell: Tell = silent) -> Profile:
    """Measure this machine: half a minute, and another one where loops of networks are compiled for the first time.

    Args:
        threads: CPU threads of the measured predictions.
        names: reference networks to time on windows; empty times all. Those that are asked step by step are all timed.
        tell: told every stage in words.
    """
    networks, steps = {}, {}
    for name in names or tuple(REFERENCES):
        call = REFERENCES[name].call(threads)
        networks[name] = _timed(f"{name}, a window", call, tell)
    for name, reference in STEPS.items():
        steps[name] = _timed(f"{name}, a step", step_call(reference.classifier()), tell)
    return Profile(threads=threads, machine=machine(), networks=networks, steps=steps)


def _timed(words: str, call: Callable[[], object], tell: Tell) -> Timing:
    found = measure(call, round_s=ROUND_S)
    tell(f"{words}: {found.p50_ms:.3g} ms, 1 in 100 above {found.p99_ms:.3g} ms.")
    return Timing(p50_ms=found.p50_ms, p99_ms=found.p99_ms)

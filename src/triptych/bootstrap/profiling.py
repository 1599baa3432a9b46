"""Measures this machine: single operations, and reference networks as they would be served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.nn import functional as F

from triptych.bootstrap.provenance import machine
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import CANDLE_FIELDS
from triptych.images import create_encoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.latency import Latency, measure, prediction_call
from triptych.inference.profile import Profile, Timing
from triptych.models import create_model

ROUND_S: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A network with its encoding that every machine times."""

    model: str
    width: float
    depth: float
    encoding: Mapping[str, Any]
    length: int

    def classifier(self) -> WindowClassifier:
        """The untrained network: how long a prediction takes does not depend on the weights."""
        encoding = create_encoding(length=self.length, **self.encoding)
        network = create_model(
            self.model, in_chans=encoding.channels, num_classes=3, width=self.width, depth=self.depth, seed=0
        )
        return WindowClassifier(encoding, network)


_GRAMIAN: Final = {"name": "gasf"}
_CHART: Final = {"name": "candlestick", "height": 48, "width": 96}
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
}
"""From a fifth of a millisecond to ten on a PC of today."""


def profile(*, threads: int = 1, names: tuple[str, ...] = (), tell: Tell = silent) -> Profile:
    """Measure this machine: some ten seconds.

    Args:
        threads: CPU threads of the measured predictions.
        names: reference networks to time; empty times all.
        tell: told every stage in words.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        operations = {name: _timing(measure(call, round_s=ROUND_S)) for name, call in _operations().items()}
    finally:
        torch.set_num_threads(before)
    networks = {}
    for name in names or tuple(REFERENCES):
        reference = REFERENCES[name]
        call = prediction_call(
            reference.classifier(), length=reference.length, width=len(CANDLE_FIELDS), threads=threads
        )
        found = measure(call, round_s=ROUND_S)
        tell(f"{name}: {found.p50_ms:.3g} ms, 1 in 100 above {found.p99_ms:.3g} ms.")
        networks[name] = _timing(found)
    return Profile(threads=threads, machine=machine(), operations=operations, networks=networks)


def _timing(found: Latency) -> Timing:
    return Timing(p50_ms=found.p50_ms, p99_ms=found.p99_ms)


def _operations() -> dict[str, Callable[[], object]]:
    """Operations of the sizes that small networks are made of."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    small, large = drawn(64, 64), drawn(512, 512)
    image, kernel, single = drawn(1, 32, 24, 48), drawn(32, 32, 3, 3), drawn(32, 1, 3, 3)
    block = drawn(1_000_000)
    return {
        "matrix product 64 x 64": lambda: small @ small,
        "matrix product 512 x 512": lambda: large @ large,
        "convolution 3 x 3 of 32 channels, 24 x 48": lambda: F.conv2d(image, kernel, padding=1),
        "depthwise convolution 3 x 3 of 32 channels, 24 x 48": lambda: F.conv2d(image, single, padding=1, groups=32),
        "copy of 4 MB": lambda: block.clone(),
        "tanh of 1 million numbers": lambda: torch.tanh(block),
    }

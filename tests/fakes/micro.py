"""The smallest recipe that goes the whole way: seconds of training, a few trades, every part real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.settings import Recipe, load_recipe

MICRO = """
name = "micro"
seed = 1
[data.synthetic]
seed = 11
n_candles = 1000
instruments = 1
[window]
length = 16
stride = 2
[encoding]
name = "gasf"
[model]
name = "efficientnet_b0"
width = 0.1
depth = 0.1
[target]
horizon = 4
up_multiple = 0.2
down_multiple = 0.2
[training]
epochs = 3
batch_size = 16
learning_rate = 0.01
num_threads = 1
[evaluation]
resamples = 100
[strategy]
enter = 0.34
exit = 0.3
margin = 0.0
[backtest.luck]
replicates = 200
"""

REGIME_NETWORK = (
    "regimes.network.use=true",
    "regimes.network.length=24",
    "regimes.network.stride=12",
    "regimes.network.encoding={name='candlestick', height=32, width=48}",
    "regimes.network.model={name='lenet5_relu', width=0.5}",
    "regimes.network.training={epochs=1, batch_size=32}",
)
"""Overrides for a small network of soft labels beside the filter of regimes."""

LIKENESS = (
    "features.names=['return_1', 'range', 'volatility_20', 'day_sine', 'day_cosine']",
    "features.normalisation=none",
    "features.clip=10",
    "encoding={name='sequence', factors=5, clip=10}",
    "model={name='gru', width=0.1, sequence={labels_per_parameter=0}}",
    "siamese.loss=nt_xent",
    "siamese.dimension=8",
    "siamese.near=6",
    "siamese.library=200",
    "siamese.scaled=true",
)
"""Overrides for a small siamese network that tells windows apart after an epoch."""
COLLAPSED = ("siamese.loss=nt_xent", "siamese.dimension=8", "siamese.near=6", "siamese.library=200")
"""Overrides for one of charts that collapses: an epoch or two of a tiny network bring no window away from another."""


def micro_recipe(folder: Path, *overrides: str, **changes: object) -> Recipe:
    """The recipe, with keys changed as `--set` does; `changes` are sections of `data`."""
    path = folder / "micro.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MICRO)
    return load_recipe(str(path), overrides, {f"data.{key}": value for key, value in changes.items()})


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command left: its exit status and what it said."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """What went to the error stream, as one line."""
        return " ".join(self.err.split())


def call(capsys, arguments: Sequence[object]) -> Said:
    """Run a command of `triptych` in this process, through its entry point."""
    from triptych.cli import main

    capsys.readouterr()
    try:
        main([str(argument) for argument in arguments])
        status = 0
    except SystemExit as ending:
        status = int(ending.code or 0)
    said = capsys.readouterr()
    return Said(status=status, out=said.out, err=said.err)

"""Small networks of patterns with strong opinions, saved: as after a training, in seconds."""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch
from tests.features.markets import random_walk

from triptych.inference.candle_patterns import CandlePatternNetwork
from triptych.inference.chart_patterns import ChartPatternNetwork

LABELS = ("engulfing_up", "engulfing_down", "doji_up", "hammer_up")
LEARNT = LABELS[:3]
ENCODING = {"name": "candlestick", "height": 32, "width": 48}
MODEL = {"name": "efficientnet_b0", "width": 0.1, "depth": 0.2}


def windows_of(length: int, count: int = 8):
    """Windows of a random walk, float32 of shape (count, length, 5)."""
    values, _ = random_walk(length + 3 * count, seed=11)
    return torch.stack([torch.from_numpy(values[i : i + length]).float() for i in range(0, 3 * count, 3)]).numpy()


def candle_network(seed: int = 1) -> CandlePatternNetwork:
    """Untrained; its last layer spreads its answers around one half."""
    made = CandlePatternNetwork(LABELS, width=16, depth=1, seed=seed)
    opinionated(made.network, made.network.body.layers[-1], 16)
    made.threshold[:] = 0.6
    return made


@cache
def chart_network(seed: int = 1) -> ChartPatternNetwork:
    """The same for chart patterns, over windows of 48 candles."""
    made = ChartPatternNetwork(48, ENCODING, MODEL, seed=seed)
    last = [module for module in made.network.modules() if isinstance(module, torch.nn.Linear)][-1]
    opinionated(made.network, last, 48)
    return made


def opinionated(network, last, length: int) -> None:
    """Scale the last layer until the scores of windows spread by about 1.5 around 0."""
    windows = torch.from_numpy(windows_of(length, 32))
    network.eval()
    with torch.no_grad():
        scores = network(windows)
        last.weight.mul_(1.5 / scores.std(dim=0).mean().clamp_min(1e-9))
        last.bias.zero_()
        last.bias.sub_(network(windows).mean(dim=0).flatten())


def saved_candle_network(folder: Path, seed: int = 1, **said) -> Path:
    """The folder of a saved network of candle patterns."""
    copied(candle_folder(seed), folder)
    if said:
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(card | said))
    return folder


def saved_chart_network(folder: Path) -> Path:
    """The folder of a saved network of chart patterns."""
    return copied(chart_folder(), folder)


def copied(source: Path, folder: Path) -> Path:
    """A copy that a test may change: exporting a network takes seconds."""
    return shutil.copytree(source, folder, dirs_exist_ok=True)


@cache
def candle_folder(seed: int = 1) -> Path:
    """A saved network of candle patterns, exported once a process: not to be changed."""
    home = Path(tempfile.mkdtemp(prefix="triptych-networks-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    taught = ("2000-01-01 00:00:00", "2000-02-01 00:00:00")
    candle_network(seed).save(home / "net", windows_of(16), learnt=LEARNT, taught=taught, symbols=("OLD",))
    return home / "net"


@cache
def chart_folder() -> Path:
    """The same of chart patterns."""
    home = Path(tempfile.mkdtemp(prefix="triptych-networks-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    chart_network().save(home / "net", windows_of(48))
    return home / "net"

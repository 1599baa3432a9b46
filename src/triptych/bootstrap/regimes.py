"""Regimes from candles: the hidden Markov filter, the alarms of switches, and a network whose soft labels it hears.

The network is taught the one regime that the rules give a little later, as the filter is: labels that exclude one
another, so that its answers may be brought to a sum of one. It looks at the candles that the filter's measures are made
of; that is no second witness. How much it counts in the filter is therefore chosen on the validation part, from nothing
to in full: beside a filter that has learnt from no more than the network has. The filter is then fitted anew on all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.bootstrap.alarm_thresholds import require_kept, set_threshold
from triptych.bootstrap.provenance import versions
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import REGIMES, CandleSeries, utc
from triptych.domain.errors import NotEnoughData
from triptych.features import Config as FeaturesConfig
from triptych.features import FeaturePipeline
from triptych.features.regimes import AHEAD
from triptych.images import create_encoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.multi_label import MultiLabelNetwork
from triptych.inference.pattern_card import PatternCard
from triptych.inference.pattern_predictor import open_patterns
from triptych.inference.pattern_saving import save_pattern_network
from triptych.inference.regime_fitting import later_regimes
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.regimes import RegimeFilter, measures
from triptych.inference.soft_labels import SoftLabels
from triptych.models import create_model
from triptych.settings.regimes import Config, Network
from triptych.training.multi_label import MultiLabelSet, fit_multi_label
from triptych.training.seeds import derive_seed

WEIGHTS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Powers of the network's likelihood that are tried; the first of equal ones is taken."""
PROBE_WINDOWS = 16
"""Real windows on which the exported graph is held against the network."""


def rule_labels(series: CandleSeries) -> NDArray[np.float64]:
    """The rules' regimes of each candle, 0 or 1, shape (n_candles, 5); NaN before they are known."""
    pipeline = FeaturePipeline(FeaturesConfig(names=REGIMES, normalisation="none"))
    return pipeline.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)


def taught_regimes(series: CandleSeries) -> NDArray[np.float64]:
    """What the network is taught, one 1 a candle, shape (n_candles, 5); NaN where it is not known. Looks ahead."""
    later = later_regimes(measures(series))
    return np.where(later[:, None] >= 0, np.eye(len(REGIMES))[later], np.nan)


def fit_regimes(
    histories: Sequence[CandleSeries], config: Config, folder: Path, *, seed: int, tell: Tell = silent
) -> RegimeTeller:
    """Fit all that tells regimes and switches on histories that hold the training part only.

    Args:
        histories: one an instrument.
        config: `[regimes]` of a recipe.
        folder: where a network is saved, if there is one.
        seed: of the random orders that set the alarms' threshold, and of the network.
        tell: told every stage in words, and what one must know of the regimes.

    Raises NotEnoughData when the histories are too short, or when alarms are to be acted on and no threshold keeps the
    false alarms that were asked for.
    """
    fitted = RegimeFilter.fit(histories)
    switches = set_threshold(histories, config.memory, config.on_switch.false_alarms, seed)
    if config.on_switch.hold:
        require_kept(switches)
    for note in (*fitted.notes(), *switches.notes()):
        tell(note)
    soft = None
    if config.network.use:
        network, prior = _taught(histories, config.network, seed, tell)
        save_network(folder, network, config.network, histories)
        # Of the validation part the network has seen no candle; nor has the filter that it is weighed beside.
        before = RegimeFilter.fit([one.head(_cut(one, config.network)) for one in histories])
        soft = _weighed(histories, config.network, before, folder, prior)
        tell(f"In the filter of regimes the network counts with a power of {soft.weight:g}.")
    return RegimeTeller(filter=fitted, memory=config.memory, switches=switches, soft=soft)


def untaught_network(config: Network, seed: int) -> MultiLabelNetwork:
    """The network before it has learnt anything."""
    drawing = create_encoding(length=config.length, **config.encoding)
    model = create_model(
        in_chans=drawing.channels, num_classes=len(REGIMES), seed=derive_seed(seed, "network"), **config.model
    )
    return MultiLabelNetwork(WindowClassifier(drawing, model), REGIMES, ())


def save_network(
    folder: Path, network: MultiLabelNetwork, config: Network, histories: Sequence[CandleSeries]
) -> PatternCard:
    """Write weights, ONNX graph and card of a network of regimes. Raises as `save_pattern_network` does."""
    longest = max(histories, key=len)
    ends = np.linspace(config.length - 1, len(longest) - 1, PROBE_WINDOWS).astype(np.int64)
    card = PatternCard(
        kind="regimes",
        length=config.length,
        labels=REGIMES,
        numbers=(),
        learnt=REGIMES,
        threshold=(0.5,) * len(REGIMES),
        network={"encoding": config.encoding, "model": config.model},
        taught=(
            utc(min(int(one.open_time_ms[0]) for one in histories)),
            utc(max(int(one.close_time_ms[-1]) for one in histories)),
        ),
        symbols=tuple(one.symbol for one in histories),
        recipe=config.model_dump(mode="json"),
        versions=versions(),
    )
    return save_pattern_network(folder, network, card, longest.windows(ends, config.length).astype(np.float32))


def _cut(one: CandleSeries, config: Network) -> int:
    """The first candle of the validation part."""
    return int(len(one) * (1.0 - config.validation_share))


def _taught(
    histories: Sequence[CandleSeries], config: Network, seed: int, tell: Tell
) -> tuple[MultiLabelNetwork, NDArray[np.float64]]:
    """The trained network, and the frequencies of what it was taught, shape (5,)."""
    train, validation = [], []
    for one in histories:
        labels, cut = taught_regimes(one), _cut(one, config)
        known = np.flatnonzero(np.isfinite(labels).all(axis=1))
        learnt = known[(known >= config.length - 1) & (known < cut - AHEAD)]
        train.append(_windows(one, labels, learnt[:: config.stride], config.length))
        validation.append(_windows(one, labels, known[known >= cut + config.length][:: config.stride], config.length))
    network = untaught_network(config, seed)
    sets = _joined(train), _joined(validation)
    tell(f"The network of regimes learns from {len(sets[0])} windows, and is chosen by {len(sets[1])}.")
    fit_multi_label(
        network, *sets, config.training, derive_seed(seed, "fit"),
        on_epoch=lambda e: tell(
            f"Epoch {e.epoch + 1}: training loss {e.train_loss:.4f}, validation loss {e.validation_loss:.4f}."
        ),
    )  # fmt: skip
    share = sets[0].labels.double().mean(dim=0).numpy() + 1e-3
    return network, share / share.sum()


def _weighed(
    histories: Sequence[CandleSeries], config: Network, before: RegimeFilter, folder: Path, prior: NDArray[np.float64]
) -> SoftLabels:
    """The network with the power of its likelihood that has the least log loss on the validation parts."""
    open_ = SoftLabels(reader=open_patterns(folder), prior=prior, weight=1.0, folder=folder)
    loss = np.zeros(len(WEIGHTS))
    for one in histories:
        labels, first = taught_regimes(one), _cut(one, config) + config.length
        at = np.flatnonzero(np.isfinite(labels).all(axis=1))
        at = at[at >= first]
        if not len(at):
            continue
        posterior = open_.posterior(one, first)
        for i, weight in enumerate(WEIGHTS):
            told = before.fused(one, posterior, prior, weight)[at]
            loss[i] -= np.log(np.maximum(told[labels[at] == 1.0], 1e-12)).sum()
    return SoftLabels(reader=open_.reader, prior=prior, weight=WEIGHTS[int(loss.argmin())], folder=folder)


def _windows(
    one: CandleSeries, labels: NDArray[np.float64], ends: NDArray[np.int64], length: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return one.windows(ends, length).astype(np.float32), labels[ends].astype(np.float32)


def _joined(parts: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> MultiLabelSet:
    windows, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not len(windows):
        raise NotEnoughData(
            "The histories hold no window with a known regime.", remedy="Bring 400 candles or more of each."
        )
    numbers = torch.zeros((len(labels), labels.shape[1], 0))
    return MultiLabelSet(windows=torch.from_numpy(windows), labels=torch.from_numpy(labels), numbers=numbers)

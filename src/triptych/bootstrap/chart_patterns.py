"""Chart patterns on files: by rules or by a network that is trained here on generated charts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import Field, ValidationError

from triptych.bootstrap.pattern_training import Place, epoch_teller, taken_up
from triptych.bootstrap.provenance import versions
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import CandleSeries, Config, utc
from triptych.domain.errors import RecipeError
from triptych.features.chart_patterns import (
    PAPER_PATTERNS,
    PATTERNS,
    Detection,
    find_chart_patterns,
    find_paper_patterns,
    outages,
)
from triptych.features.chart_patterns import Config as RulesConfig
from triptych.inference.chart_patterns import NUMBERS, ChartPatternNetwork, find_by_network
from triptych.inference.chart_patterns import Config as DetectionConfig
from triptych.inference.pattern_reader import AbstractPatternReader
from triptych.market import read_candles
from triptych.market.charts import Chart, draw_chart
from triptych.market.charts import Config as ChartConfig
from triptych.market.synthetic.streams import stream
from triptych.settings.overrides import put_overrides
from triptych.training.multi_label import Config as TrainingConfig
from triptych.training.multi_label import MultiLabelSet, fit_multi_label
from triptych.training.seeds import derive_seed

R = TypeVar("R", bound=Config)
PROBE_WINDOWS = 64
"""Windows on which the exported graph is held against the network."""


class ChartPatternRecipe(Config):
    """How the network of chart patterns is made."""

    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of charts, first weights and order.")
    length: int = Field(96, ge=32, le=1024, description="Candles of a window.")
    charts: int = Field(16_000, ge=16, description="Generated charts to learn from in an epoch; each draws its own.")
    validation_charts: int = Field(2_000, ge=1, description="Generated charts to choose the best epoch by.")
    generator: ChartConfig = Field(ChartConfig(), description="What the charts are like.")
    encoding: dict[str, Any] = Field(
        {"name": "candlestick", "height": 64, "width": 96}, description="How windows are drawn."
    )
    model: dict[str, Any] = Field(
        {"name": "efficientnet_b0", "width": 0.35, "depth": 0.5}, description="The network that reads them."
    )
    training: TrainingConfig = Field(TrainingConfig(), description="How it is trained.")


def read_chart_pattern_recipe(path: Path | None, overrides: Sequence[str] = ()) -> ChartPatternRecipe:
    """The recipe of a TOML file; None gives the defaults. Raises as `read_pattern_recipe`."""
    return read_pattern_recipe(path, ChartPatternRecipe, overrides)


def read_pattern_recipe(path: Path | None, kind: type[R], overrides: Sequence[str] = ()) -> R:
    """A recipe of one kind from a TOML file; None gives the defaults.

    Args:
        path: of the file. What it leaves out, also within `[training]` and `[generator]`, is as in the defaults.
        kind: of recipe.
        overrides: `key=value` pairs such as `training.epochs=3`.

    Raises RecipeError for a file that is missing or no TOML, and for the first mistake in it.
    """
    try:
        content = {} if path is None else tomllib.loads(path.read_text(encoding="utf-8-sig"))
        put_overrides(content, overrides)
        for name, usual in kind():
            if isinstance(usual, Config) and isinstance(content.get(name), dict):
                content[name] = usual.model_dump() | content[name]
        return kind.model_validate(content)
    except FileNotFoundError as error:
        raise RecipeError(f"There is no file {path}.", remedy="Name a TOML file, or leave --recipe out.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} cannot be read as TOML: {error}.", remedy="Check the file.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        keys = ", ".join(kind.model_fields)
        where = "--set" if path is None else path
        raise RecipeError(f"{where}: {place}: {first['msg']}.", remedy=f"Keys of such a recipe: {keys}.") from error


def window_of(chart: Chart, length: int, rng: np.random.Generator) -> tuple[int, bool]:
    """Candle at which a window of a chart ends, and whether the planted pattern is complete in it.

    Three of four windows end soon after the last turning point; the others while the pattern is unfinished, so that the
    network learns not to guess how it ends.
    """
    n, planted = len(chart.values), chart.planted
    if planted is None:
        return int(rng.integers(length - 1, n)), False
    latest = min(n - 1, planted.start + length - 1)
    if rng.uniform() < 0.75:
        first = max(length - 1, planted.end + 2)
        if first <= latest:
            return int(rng.integers(first, min(latest, first + 16) + 1)), True
    unfinished = (planted.start + planted.end) // 2
    if unfinished >= length - 1:
        return int(rng.integers(length - 1, min(planted.end - 2, n - 1) + 1)), False
    return max(length - 1, planted.end + 2), planted.start > planted.end + 2 - length


def chart_pattern_set(recipe: ChartPatternRecipe, count: int, seed: int) -> MultiLabelSet:
    """Windows of `count` generated charts with labels, boxes and qualities; fixed by the seed."""
    length = recipe.length
    config = recipe.generator.model_copy(update={"length": max(recipe.generator.length, length + 48)})
    windows = np.empty((count, length, 5), dtype=np.float32)
    labels = np.zeros((count, len(PATTERNS)), dtype=np.float32)
    numbers = np.full((count, len(PATTERNS), len(NUMBERS)), np.nan, dtype=np.float32)
    names = list(PATTERNS)
    for number in range(count):
        chart = draw_chart(config, seed, number)
        now, complete = window_of(chart, length, stream(seed, "window", str(number)))
        first = now + 1 - length
        windows[number] = chart.values[first : now + 1]
        planted = chart.planted
        if planted is not None and complete and planted.start >= first and planted.end <= now:
            label = names.index(planted.pattern)
            labels[number, label] = 1.0
            span = (planted.start - first) / (length - 1), (planted.end - first) / (length - 1)
            numbers[number, label] = (*span, planted.score)
    return MultiLabelSet(
        windows=torch.from_numpy(windows), labels=torch.from_numpy(labels), numbers=torch.from_numpy(numbers)
    )


def train_chart_patterns(
    recipe: ChartPatternRecipe, folder: Path, *, fresh: bool = False, tell: Tell = silent
) -> ChartPatternNetwork:
    """Train a network on generated charts and save it to a folder.

    One that is complete there is returned as it is; one that was stopped goes on from its last epoch and ends with the
    same weights. `fresh` replaces it. Raises as `pattern_training.taken_up` and `fit_multi_label`.
    """
    with taken_up(folder, recipe, fresh=fresh, tell=tell) as place:
        if place.is_complete:
            return ChartPatternNetwork.load(folder)
        return _trained(recipe, folder, place, tell)


def _trained(recipe: ChartPatternRecipe, folder: Path, place: Place, tell: Tell) -> ChartPatternNetwork:
    made = ChartPatternNetwork(recipe.length, recipe.encoding, recipe.model, seed=derive_seed(recipe.seed, "network"))
    tell(f"Each epoch draws {recipe.charts} charts to learn from; {recipe.validation_charts} are drawn to validate.")

    def charts(epoch: int) -> MultiLabelSet:
        return chart_pattern_set(recipe, recipe.charts, derive_seed(recipe.seed, "charts", epoch))

    validation = chart_pattern_set(recipe, recipe.validation_charts, derive_seed(recipe.seed, "validation"))
    place.begin()
    history = fit_multi_label(
        made.network, charts, validation, recipe.training, derive_seed(recipe.seed, "fit"),
        on_epoch=epoch_teller(tell, recipe.training.epochs), checkpoint=place.checkpoint,
    )  # fmt: skip
    losses = [[e.train_loss, e.validation_loss] for e in history]
    made.save(
        folder, validation.windows[:PROBE_WINDOWS].numpy(), recipe=recipe.model_dump(mode="json"),
        metrics={"losses": losses}, versions=versions(),
    )  # fmt: skip
    tell(f"Saved to {folder}.")
    return made


def find_patterns_in(
    series: CandleSeries,
    *,
    network: AbstractPatternReader | None = None,
    rules: RulesConfig | None = None,
    detection: DetectionConfig | None = None,
    patterns: Sequence[str] = (),
    paper: bool = False,
) -> tuple[Detection, ...]:
    """Chart patterns of a history: by the network, or by rules where none is given; `patterns` keeps only some.

    With `paper` the rules are the ten of Lo, Mamaysky and Wang as they define them. No pattern runs across an outage
    (see `outages`). Raises RecipeError for an unknown
    pattern and for a network beside the paper's rules, ArtifactError for a network of other patterns.
    """
    if paper and network is not None:
        raise RecipeError("A network and the paper's rules cannot both be asked.", remedy="Leave one of them out.")
    known = PAPER_PATTERNS if paper else PATTERNS
    unknown = sorted(set(patterns) - set(known))
    if unknown:
        raise RecipeError(f"Unknown chart pattern {unknown[0]!r}.", remedy=f"Known: {', '.join(known)}.")
    after = outages(series.open_time_ms, series.timeframe.milliseconds)
    if paper:
        found = find_paper_patterns(series.values, after_outage=after)
    elif network is None:
        found = find_chart_patterns(series.values, rules, after_outage=after)
    else:
        found = find_by_network(network, series.values, detection, after_outage=after)
    return tuple(d for d in found if not patterns or d.pattern in patterns)


def read_one(path: Path, symbol: str | None = None, last: int = 0) -> CandleSeries:
    """One history of a file, or its last candles."""
    series = read_candles(path, symbol=symbol).one(symbol)
    return series.between(len(series) - last, len(series)) if 0 < last < len(series) else series


def detection_rows(series: CandleSeries, found: Sequence[Detection]) -> list[dict[str, Any]]:
    """Detections as JSON-ready rows: candles by their open times, UTC, and the close at which each was known."""
    return [
        {
            "pattern": one.pattern,
            "side": one.side,
            "start": utc(int(series.open_time_ms[one.start])),
            "end": utc(int(series.open_time_ms[one.end])),
            "known_at": utc(int(series.close_time_ms[one.known_at])),
            "low": one.low,
            "high": one.high,
            "score": round(one.score, 4),
            "key_points": [[utc(int(series.open_time_ms[p.index])), p.price] for p in one.key_points],
        }
        for one in found
    ]

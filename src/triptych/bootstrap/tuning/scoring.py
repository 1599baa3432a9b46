"""Training and judging a candidate on the folds of the search; killed and begun again, it goes on where it was."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.backtest import BacktestResult, run_backtest
from triptych.backtest.bootstrap import effective_observations, optimal_block_length
from triptych.backtest.paths import strategy_path
from triptych.backtest.sharpe import sharpe_moments
from triptych.bootstrap.building import Dataset, build_classifier, build_encoding, require_labels_for
from triptych.bootstrap.files import read_frame, read_json, write_frame
from triptych.bootstrap.other_markets import refuse_foreknown
from triptych.bootstrap.staking import base_rates, with_known_stakes
from triptych.bootstrap.tuning.past import Past
from triptych.bootstrap.windowing import reach
from triptych.domain import CandleSeries, Prediction
from triptych.domain.files import write_bytes, write_json
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.predictor import TorchPredictor
from triptych.inference.recorded import RecordedPredictor
from triptych.settings import Recipe
from triptych.strategies import create_strategy
from triptych.training import trainer
from triptych.training.comparison import only_said
from triptych.training.evaluation import resampled
from triptych.training.metrics import Scorer
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed
from triptych.training.splits import Fold

RESULT, RETURNS, JUDGED = "result.json", "returns.parquet", "judged.parquet"
_CHUNK = 2048


class GivenUpError(Exception):
    """The candidate was given up after a fold; what it had reached is in `folds`."""

    def __init__(self, folds: Sequence[float]) -> None:
        super().__init__(f"given up after {len(folds)} folds")
        self.folds = list(folds)


def score(
    dataset: Dataset,
    past: Past,
    home: Path,
    after_fold: Callable[[list[float]], bool] = lambda _: False,
    is_over: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Train a candidate on every fold, and judge what it says of the candles after each.

    Args:
        dataset: of the candidate, with the folds of the search.
        past: the candles it was made from.
        home: folder of the candidate; it keeps the result, and until then the training.
        after_fold: told the Matthews correlation of every fold until now; true gives the candidate up.
        is_over: asked before every epoch; true stops the candidate there. Called again, it goes on.

    Returns:
        JSON-ready: `folds` (Matthews correlation of each), `mcc` and `sharpe` with their standard errors `mcc_error`
        and `sharpe_error`, `n`, `effective_n`, `epochs`, `trades`, `total_return`, `says_only` (see there). RETURNS in
        `home` holds the returns a candle of its backtest, JUDGED every sample with its class and the one that was said.

    Raises GivenUpError, StoppedError, RecipeError for a network that the labels cannot feed, and whatever training
    raises.
    """
    if (home / RESULT).exists():
        found: dict[str, Any] = read_json(home / RESULT)
        return found
    refuse_foreknown(dataset.recipe, dataset.folds)
    answers = [np.full((len(one), 3), np.nan) for one in dataset.series]
    folds: list[float] = []
    epochs = 0
    for fold in dataset.folds:
        epochs += _fold(dataset, fold, home, answers, is_over)
        test = dataset.samples(fold.test)
        folds.append(float(Scorer(_of(answers, test), test.label).values()["mcc"]))
        if fold is not dataset.folds[-1] and after_fold(folds):
            shutil.rmtree(home / "folds", ignore_errors=True)
            raise GivenUpError(folds)
    result = _backtest(dataset, past, answers)
    said = _said(dataset, answers)
    found = {
        "folds": folds,
        "epochs": epochs,
        "says_only": only_said(said["said"].to_list(), said["fold"].to_list()),
        **_skill(dataset, answers),
        **_earned(result, home),
    }
    write_frame(home / JUDGED, said)
    write_json(home / RESULT, found)
    shutil.rmtree(home / "folds", ignore_errors=True)
    return found


def _fold(
    dataset: Dataset,
    fold: Fold,
    home: Path,
    answers: list[NDArray[np.float64]],
    is_over: Callable[[], bool] | None,
) -> int:
    """Train one fold and write its answers to the candles of its test segment. Returns the epochs it took."""
    recipe = dataset.recipe
    place = home / "folds" / str(fold.number)
    saved = place / "answers.npz"
    if saved.exists():
        with np.load(saved) as opened:
            before: dict[str, Any] = dict(opened.items())
        for i, earlier in enumerate(answers):
            known = np.isfinite(before[f"{i}"]).all(axis=1)
            earlier[known] = before[f"{i}"][known]
        return int(before["epochs"])
    classifier = build_classifier(dataset.fitted(fold), fold.number)
    require_labels_for(recipe, classifier, dataset.samples(fold.train))
    result = trainer.fit(
        classifier,
        dataset.windows(fold.train),
        dataset.windows(fold.validation),
        recipe.training,
        place / "training",
        derive_seed(recipe.seed, "fit", fold.number),
        progress=False,
        is_over=is_over,
    )
    length = recipe.window.length
    predictor = TorchPredictor(classifier, length=length, width=len(build_encoding(recipe).columns))
    kept: dict[str, Any] = {}
    for i, one in enumerate(dataset.series):
        found = np.full((len(one), 3), np.nan)
        ends = _ends(dataset, fold, one)
        for start in range(0, len(ends), _CHUNK):
            part = ends[start : start + _CHUNK]
            windows = dataset.windows_at(i, part)
            known = np.isfinite(windows).all(axis=(1, 2))
            found[part[known]] = predictor.probabilities(windows[known])
        told = np.isfinite(found).all(axis=1)
        answers[i][told] = found[told]
        kept[f"{i}"] = found
    buffer = io.BytesIO()
    np.savez_compressed(buffer, epochs=np.array(len(result.history)), **kept)
    write_bytes(saved, buffer.getvalue())
    return len(result.history)


def _ends(dataset: Dataset, fold: Fold, one: CandleSeries) -> NDArray[np.int64]:
    """Candles of a fold's test at whose close a decision is made: from the first that is judged on."""
    firsts = [
        int(s.close_time_ms[index[0]]) for s, index in zip(dataset.series, fold.test.indices, strict=True) if index.size
    ]
    # Only the first fold waits for its first judged decision; the later ones take over without a hole.
    start = min(firsts) if fold.number == 0 else fold.test.start_ms + one.timeframe.milliseconds
    closes = one.close_time_ms
    ends = np.flatnonzero((closes >= start) & (closes <= fold.test.stop_ms))
    chosen: NDArray[np.int64] = ends[ends >= reach(dataset.recipe) - 1]
    return chosen


def _of(answers: Sequence[NDArray[np.float64]], samples: Samples) -> NDArray[np.float64]:
    """The answers in the order of samples, shape (n_samples, 3)."""
    found = np.empty((len(samples), 3))
    for i, rows in enumerate(answers):
        mine = samples.instrument == i
        found[mine] = rows[samples.index[mine]]
    return found


def _skill(dataset: Dataset, answers: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    """The mean of the folds' Matthews correlations by their samples, with its standard error by block bootstrap.

    Not that of all samples together: a model that says one class in one fold and another in the next knows nothing, and
    shows a correlation there when the classes are not equally frequent in both.
    """
    recipe = dataset.recipe
    values, variances, counts, effective = [], [], [], 0.0
    for fold in dataset.folds:
        test = dataset.samples(fold.test)
        scorer = Scorer(_of(answers, test), test.label)
        seed = derive_seed(recipe.seed, "tune", fold.number)
        draws = resampled({"": scorer}, test, recipe.evaluation, seed)[""]["mcc"]
        values.append(float(scorer.values()["mcc"]))
        variances.append(float(np.nanvar(draws)))
        counts.append(len(test))
        effective += test.effective_n
    shares = np.array(counts) / sum(counts)
    return {
        "mcc": float(shares @ values),
        "mcc_error": float(np.sqrt(shares**2 @ np.array(variances))),
        "n": sum(counts),
        "effective_n": effective,
    }


def _said(dataset: Dataset, answers: Sequence[NDArray[np.float64]]) -> pl.DataFrame:
    """Every judged sample in the order of folds: what came of it and what was said."""
    parts = []
    for fold in dataset.folds:
        test = dataset.samples(fold.test)
        parts.append(
            pl.DataFrame(
                {
                    "time": test.time_ms,
                    "instrument": test.instrument.astype(np.int32),
                    "fold": np.full(len(test), fold.number, dtype=np.int32),
                    "label": test.label.astype(np.int8),
                    "said": _of(answers, test).argmax(axis=1).astype(np.int8),
                }
            )
        )
    return pl.concat(parts)


class _Unasked(AbstractPredictor):
    """Stands where a record has an answer or nobody has one."""

    def __init__(self, recipe: Recipe) -> None:
        self.length = recipe.window.length
        self.name = recipe.name
        self.companions = recipe.features.companions

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.full((len(windows), 3), np.nan, dtype=np.float32)

    def predict_now(self, view: AbstractView, symbol: str, close_time_ms: int) -> Prediction | None:
        """No prediction: where the record has none, the candles of a companion were missing."""
        return None


def _backtest(dataset: Dataset, past: Past, answers: Sequence[NDArray[np.float64]]) -> BacktestResult:
    recipe = with_known_stakes(dataset.recipe, base_rates(dataset.samples(dataset.folds[0].train)))
    predictor = RecordedPredictor(_Unasked(recipe))
    times = []
    for one, rows in zip(dataset.series, answers, strict=True):
        known = np.isfinite(rows).all(axis=1)
        predictor.add(one.symbol, one.close_time_ms[known], rows[known])
        times.append(one.close_time_ms[known])
    every = np.concatenate(times)
    return run_backtest(
        past.candles.series,
        predictor,
        strategy=create_strategy(recipe.strategy),
        sizing=recipe.sizing,
        execution=recipe.execution,
        risk=recipe.risk,
        costs=recipe.costs,
        initial_capital=recipe.backtest.initial_capital,
        start_ms=int(every.min()),
        end_ms=int(every.max()),
        name=recipe.name,
        companions=past.candles.companions,
    )


def _earned(result: BacktestResult, home: Path) -> dict[str, Any]:
    """Figures of the backtest; its returns a candle are written to the candidate's folder."""
    returns = strategy_path(result).returns
    frame = result.equity.select("time").head(len(returns)).with_columns(pl.Series("return", returns))
    write_frame(home / RETURNS, frame)
    moments = sharpe_moments(returns)
    observations = effective_observations(returns, round(optimal_block_length(returns))) if moments else 0.0
    return {
        "sharpe": moments.sharpe if moments else 0.0,
        "sharpe_error": math.sqrt(moments.spread / max(observations - 1.0, 1.0)) if moments else 0.0,
        "trades": result.trades.height,
        "total_return": float(result.equity["equity"][-1] / result.initial_capital - 1.0)
        if result.equity.height
        else 0.0,
    }


def returns_of(home: Path) -> pl.DataFrame:
    """Times and returns a candle of a candidate's backtest."""
    return read_frame(home / RETURNS, ("time", "return"))


def judged_of(home: Path) -> pl.DataFrame:
    """Every judged sample of a candidate: time, instrument, fold, label, said."""
    return read_frame(home / JUDGED, ("time", "instrument", "fold", "label", "said"))

"""What the members of a consensus said, side by side: from their runs to votes, samples and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.files import read_frame
from triptych.bootstrap.regime_filters import recorded_regimes
from triptych.bootstrap.run_folder import Run
from triptych.domain import CLASSES, Prediction, Vote
from triptych.domain.errors import NotEnoughData, RecipeError
from triptych.exchanges.simulated.costs import Config as CostsConfig
from triptych.inference.combiner import BOTH, LEARNED
from triptych.inference.regime import REGIME, regime_over
from triptych.settings import Recipe, members_of
from triptych.training.samples import Samples
from triptych.training.splits import Fold
from triptych.training.stacking import Votes

KEYS = ("time", "symbol", "fold")
REGIME_COLUMNS = tuple(f"regime_{name}" for name in REGIME)


def columns_of(name: str) -> tuple[str, ...]:
    """Columns of a member's probabilities."""
    return tuple(f"{name}.probability_{side}" for side in CLASSES)


def recipe_of_labels(recipe: Recipe) -> Recipe:
    """The recipe that labels and folds are made by: itself, or its first member, which shares them with the others."""
    return next(iter(members_of(recipe).values()), recipe)


def first_judged(recipe: Recipe) -> int:
    """The first test segment a consensus is used in: what learns from the members must first have heard them."""
    return 1 if recipe.consensus.method in LEARNED else 0


def round_trip_cost(recipe: Recipe) -> float:
    """What entering and leaving takes, a fraction of the notional: as configured, or by market orders."""
    if recipe.consensus.cost is not None:
        return recipe.consensus.cost
    return market_round_trip(recipe.costs)


def market_round_trip(costs: CostsConfig) -> float:
    """Fee, half the spread and slippage, twice."""
    return 2.0 * (costs.taker_fee + 1e-4 * (costs.half_spread_bp + costs.slippage_bp))


def require_same_folds(folds: Mapping[str, tuple[Fold, ...]]) -> tuple[Fold, ...]:
    """The folds of the first member, once they are known to be those of all. `folds` are those of each, by name.

    Raises RecipeError when the members were cut at different times.
    """
    cuts = {name: [[(s.start_ms, s.stop_ms) for s in f.segments] for f in one] for name, one in folds.items()}
    first, *others = cuts
    for name in others:
        if cuts[name] != cuts[first]:
            raise RecipeError(
                f"The members {first} and {name} are cut into different folds.",
                remedy="Members share data, target and split; leave those to the recipe itself.",
            )
    return folds[first]


def gather_votes(recipe: Recipe, candles: Candles, runs: Mapping[str, Run]) -> pl.DataFrame:
    """Every candle of the test segments on which all members have an out-of-fold prediction, with the regime.

    Columns: time, symbol, fold; by member its probabilities; regime_volatility, regime_trend.
    """
    probabilities = [f"probability_{side}" for side in CLASSES]
    joined: pl.DataFrame | None = None
    for name, run in runs.items():
        found = read_frame(run.folder / "predictions.parquet", (*KEYS, *probabilities))
        part = found.select(*KEYS, *(pl.col(a).alias(b) for a, b in zip(probabilities, columns_of(name), strict=True)))
        joined = part if joined is None else joined.join(part, on=list(KEYS), how="inner", maintain_order="left")
    assert joined is not None
    parts = []
    for one in candles.series:
        mine = joined.filter(symbol=one.symbol)
        ends = np.searchsorted(one.close_time_ms, mine["time"].cast(pl.Int64).to_numpy())
        regime = regime_over(one, ends.astype(np.int64), recipe.consensus.regime_length)
        parts.append(mine.with_columns(pl.Series(n, regime[:, i]) for i, n in enumerate(REGIME_COLUMNS)))
    known = pl.concat(parts).filter(pl.all_horizontal(pl.col(REGIME_COLUMNS).is_finite()))
    return known.sort("time", "symbol")


def arrays_of(frame: pl.DataFrame, names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Votes of shape (n, n_members, 3) and regimes of shape (n, 2) of a frame as `gather_votes` makes it."""
    votes = np.stack([frame.select(columns_of(name)).to_numpy() for name in names], axis=1)
    return votes, frame.select(REGIME_COLUMNS).to_numpy()


def votes_on_samples(datasets: Mapping[str, Dataset], frame: pl.DataFrame) -> Votes:
    """The votes on the test samples of all folds that every member was judged on.

    Raises NotEnoughData when there is none.
    """
    first = next(iter(datasets.values()))
    samples, wanted = common_tests(list(datasets.values()))
    found = wanted.with_row_index("row").join(frame, on=list(KEYS), how="inner", maintain_order="left")
    if not len(found):
        raise NotEnoughData("The members have no test sample in common.", remedy="Bring more candles.")
    samples = samples.at(found["row"].to_numpy())
    forward = np.empty(len(samples))
    for i, target in enumerate(first.targets):
        mine = samples.instrument == i
        forward[mine] = target.forward_return[samples.index[mine]]
    votes, regime = arrays_of(found, tuple(datasets))
    return Votes(samples=samples, fold=found["fold"].to_numpy(), votes=votes, regime=regime, forward_return=forward)


def common_tests(datasets: Sequence[Dataset]) -> tuple[Samples, pl.DataFrame]:
    """The test samples that all have, and where each stands: time, symbol, fold.

    A window that one of them keeps apart from the segment before it is judged for none.
    """
    samples, places = _tests(datasets[0])
    places = places.with_row_index("row")
    for dataset in datasets[1:]:
        places = places.join(_tests(dataset)[1], on=list(KEYS), how="semi", maintain_order="left")
    rows = places["row"].to_numpy()
    return samples.at(rows), places.drop("row")


def _tests(dataset: Dataset) -> tuple[Samples, pl.DataFrame]:
    """The test samples of all folds, and where each stands: time, symbol, fold."""
    tests = [dataset.samples(fold.test) for fold in dataset.folds]
    samples = Samples.concatenate(tests)
    symbols = np.array([one.symbol for one in dataset.series])
    places = pl.DataFrame(
        {
            "time": pl.Series(samples.time_ms).cast(pl.Datetime("ms", "UTC")),
            "symbol": symbols[samples.instrument],
            "fold": np.repeat([fold.number for fold in dataset.folds], [len(test) for test in tests]),
        }
    )
    return samples, places


def are_predicted(votes: Votes, symbols: Sequence[str], predictions: pl.DataFrame) -> NDArray[np.bool_]:
    """Which votes of samples a consensus has joined, shape (n,); `symbols` are those of the series, in their order."""
    samples = votes.samples
    wanted = pl.DataFrame(
        {
            "time": pl.Series(samples.time_ms).cast(pl.Datetime("ms", "UTC")),
            "symbol": np.array(symbols)[samples.instrument],
            "fold": pl.Series(votes.fold, dtype=pl.Int64),
        }
    ).with_row_index("row")
    found = np.zeros(len(samples), dtype=np.bool_)
    found[wanted.join(predictions, on=list(KEYS), how="semi")["row"].to_numpy()] = True
    return found


def predictions_from(predictions: pl.DataFrame, votes: pl.DataFrame, names: Sequence[str]) -> list[Prediction]:
    """The predictions of a consensus with the votes behind them, from the frames of its run."""
    whole = predictions.join(votes, on=list(KEYS), how="left", maintain_order="left")
    times = whole["time"].cast(pl.Int64).to_list()
    rows = whole.select(f"probability_{side}" for side in CLASSES).rows()
    told = recorded_regimes(predictions)
    said = {name: whole.select(columns_of(name)).rows() for name in names}
    found = [
        Prediction(
            symbol=symbol,
            time_ms=time_ms,
            model="consensus",
            probability_sell=row[0],
            probability_hold=row[1],
            probability_buy=row[2],
            votes=tuple(
                Vote(model=name, probability_sell=s, probability_hold=h, probability_buy=b)
                for name in names
                for s, h, b in (said[name][i],)
            ),
            allowed=None if allowed == BOTH else allowed,
        )
        for i, (symbol, time_ms, row, allowed) in enumerate(
            zip(whole["symbol"].to_list(), times, rows, whole["allowed"].to_list(), strict=True)
        )
    ]
    return found if told is None else told.beside(found)

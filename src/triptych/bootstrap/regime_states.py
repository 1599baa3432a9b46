"""The regimes of the market now: filtered probabilities, how they follow one another, and what comes next by that."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.alarm_watchers import LEAST_TO_FIT, MEMORY
from triptych.bootstrap.backtesting import candles_of
from triptych.bootstrap.explaining import end_at, model_in_charge, series_of
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.voting import first_judged
from triptych.domain import REGIMES, CandleSeries, utc
from triptych.domain.errors import ArtifactError, DataError, NotEnoughData
from triptych.domain.files import write_bytes
from triptych.inference import open_any_artifact
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.regimes import RegimeFilter

HORIZON: Final = 16
"""Candles on that a file's regimes are told for, unless another number is asked for."""
HOUR_MS: Final = 3_600_000
COLOURS: Final = ("#2a9d5c", "#b2182b", "#9e9e9e", "#e08214", "#3b6fb6")
"""Of the regimes in the order of `REGIMES`."""
INCHES: Final = (14.0, 6.5)


@dataclass(frozen=True, kw_only=True)
class RegimeStates:
    """What is told at the close of a candle.

    Attributes:
        series: the last candles up to that close.
        probability: of each regime at each of them, filtered, shape (n_candles, 5).
        left_out: regimes that cannot be told.
        transition: probability of the column's regime one candle after the row's, shape (5, 5).
        duration: candles that each regime lasts on average, shape (5,); NaN of those that are left out.
        next, after: probabilities one candle on and `horizon` candles on, shape (5,).
        horizon: candles on.
        learned_from_it: whether the filter was fitted on this very candle.
        notes: what one must know, a sentence each.
    """

    series: CandleSeries
    probability: NDArray[np.float64]
    left_out: tuple[str, ...]
    transition: NDArray[np.float64]
    duration: NDArray[np.float64]
    next: NDArray[np.float64]
    after: NDArray[np.float64]
    horizon: int
    learned_from_it: bool
    notes: tuple[str, ...]

    @property
    def now(self) -> NDArray[np.float64]:
        """Probabilities at the close, shape (5,)."""
        found: NDArray[np.float64] = self.probability[-1]
        return found

    def hours(self) -> NDArray[np.float64]:
        """`duration` times the length of a candle in hours, shape (5,)."""
        found: NDArray[np.float64] = self.duration * (self.series.timeframe.milliseconds / HOUR_MS)
        return found

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready; None of a regime that is left out."""
        told = [name not in self.left_out for name in REGIMES]

        def by_name(values: NDArray[np.float64]) -> dict[str, float | None]:
            return {
                name: float(value) if known else None for name, value, known in zip(REGIMES, values, told, strict=True)
            }

        return {
            "symbol": self.series.symbol,
            "timeframe": str(self.series.timeframe),
            "time": utc(int(self.series.close_time_ms[-1])),
            "learned_from_it": self.learned_from_it,
            "likeliest": REGIMES[int(self.now.argmax())],
            "now": by_name(self.now),
            "next": by_name(self.next),
            "horizon": self.horizon,
            "after_horizon": by_name(self.after),
            "expected_candles": by_name(self.duration),
            "expected_hours": by_name(self.hours()),
            "transition": {
                name: by_name(row) for name, row, known in zip(REGIMES, self.transition, told, strict=True) if known
            },
            "last": [
                {"time": utc(int(time)), "close": float(close), **by_name(row)}
                for time, close, row in zip(self.series.close_time_ms, self.series.close, self.probability, strict=True)
            ],
            "notes": list(self.notes),
        }


def states_of_file(
    series: CandleSeries, *, at: str = "", share: float = 0.6, last: int = 240, horizon: int | None = None
) -> RegimeStates:
    """Fit on the first share of a history and tell the regimes at the close of a later candle.

    Args:
        series: the history.
        at: close of the candle, UTC; `last` or nothing takes the last there is.
        share: of it, that is fitted on.
        last: candles up to that close that are told too.
        horizon: candles on; None takes 16.

    Raises NotEnoughData for too short a history, DataError for a time that is not there.
    """
    first = int(len(series) * share)
    if first < LEAST_TO_FIT:
        raise NotEnoughData(
            f"{series.symbol}: {len(series):,} candles, of which the first {first:,} are fitted on, are too few: it "
            f"takes {LEAST_TO_FIT} at least.",
            remedy=f"Bring at least {-(-LEAST_TO_FIT * len(series) // max(first, 1)):,} candles, or raise --share.",
        )
    teller = RegimeTeller(filter=RegimeFilter.fit([series.head(first)]), memory=MEMORY)
    end = end_at(series, at)
    return _told(teller, series, end, last, horizon or HORIZON, learned=end < first)


def states_of_run(
    run: Run, *, at: str = "", symbol: str | None = None, last: int = 240, horizon: int | None = None
) -> RegimeStates:
    """Tell the regimes at the close of a candle of a run, by the model that was in charge then.

    Args:
        run: trained to its end, of a recipe with [regimes] use.
        at, last: as in `states_of_file`.
        symbol: instrument; None takes the first.
        horizon: candles on; None takes that of the run's target.

    Raises RunError for a run that is not complete, ArtifactError where its model tells no regimes, and as above.
    """
    run.require_trained()
    series = series_of(candles_of(run), symbol)
    end = end_at(series, at)
    first = first_judged(run.recipe) if run.recipe.members else 0
    fold, learned = model_in_charge(run, int(series.close_time_ms[end]), first)
    teller = open_any_artifact(run.fold(fold) / "artifact").regimes()
    if teller is None:
        raise ArtifactError(
            "The artifact of the run carries no filter of regimes.",
            remedy="Train the recipe with regimes.use = true.",
        )
    return _told(teller, series, end, last, horizon or run.recipe.target.horizon, learned=learned)


def _told(
    teller: RegimeTeller, series: CandleSeries, end: int, last: int, horizon: int, *, learned: bool
) -> RegimeStates:
    if end + 1 < teller.reach:
        raise NotEnoughData(
            f"{series.symbol}: regimes are told from {teller.reach} candles, and {end + 1} had closed by "
            f"{utc(int(series.close_time_ms[end]))} UTC.",
            remedy="Ask about a later time, or bring more candles.",
        )
    known = series.between(max(0, end + 1 - last - teller.reach), end + 1)
    first = max(teller.reach - 1, len(known) - last)
    told = teller.probabilities(known, first)[first:]
    model, fitted = teller.filter.model, teller.filter
    left_out = tuple(name for name in REGIMES if fitted.agreement and name not in fitted.agreement)
    notes = fitted.notes()
    if learned:
        notes += ("The filter was fitted on this very candle: what it says of it is not out of sample.",)
    return RegimeStates(
        series=known.between(first, len(known)), probability=told, left_out=left_out, transition=model.transition,
        duration=model.expected_duration, next=model.predict_next(told[-1]),
        after=model.predict_next(told[-1], horizon), horizon=horizon, learned_from_it=learned, notes=notes,
    )  # fmt: skip


def draw_states(found: RegimeStates, path: Path) -> Path:
    """Draw the last candles: the close in the colour of the likeliest regime, and below how probable each was.

    Raises DataError unless the file's name ends in .png, StorageError when the disk refuses.
    """
    if path.suffix.lower() != ".png":
        raise DataError(f"Cannot draw to {path}.", remedy="Choose a name ending in .png.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    series = found.series
    figure = Figure(figsize=INCHES, dpi=100, layout="constrained")
    price, share = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    x, likeliest = np.arange(len(series)), found.probability.argmax(axis=1)
    price.plot(x, series.close, color="#34495e", linewidth=0.5, alpha=0.5)
    for number, (name, colour) in enumerate(zip(REGIMES, COLOURS, strict=True)):
        mine = likeliest == number
        if mine.any():
            price.scatter(x[mine], series.close[mine], s=9, color=colour, label=name.replace("_", " "))
    share.stackplot(x, found.probability.T, colors=COLOURS, alpha=0.85)
    share.set_ylim(0.0, 1.0)
    for axes in (price, share):
        axes.margins(x=0.005)
    price.legend(fontsize=7, ncols=5, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False)
    price.set_title(f"{series.symbol} {series.timeframe}: likeliest regime at each close, UTC", loc="left", fontsize=10)
    price.set_ylabel("close", fontsize=8)
    share.set_ylabel("filtered probability", fontsize=8)
    ticks = np.unique(np.linspace(0, len(series) - 1, 8).round().astype(int))
    share.set_xticks(ticks, [utc(int(series.close_time_ms[t]))[:16] for t in ticks], fontsize=7)
    FigureCanvasAgg(figure)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", metadata={"Software": None})
    return write_bytes(path, memory.getvalue())

"""Alarms of market switches as rows, as files, and as a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Final

import numpy as np

from triptych.bootstrap.regime_alarms import RegimeAlarms
from triptych.domain import REGIMES, utc
from triptych.domain.errors import DataError
from triptych.domain.files import write_bytes, write_json, write_text

STATISTICS: Final = {
    "switches": "probability of the likeliest kind of market",
    "filter": "probability of the likeliest regime",
    "likeness": "distance from the window before",
    "cusum": "log size of the return, standard deviations before",
}
PRICE, ALARM, VALUE = "#34495e", "#b2182b", "#2166ac"
INCHES = (14.0, 6.5)


def alarm_rows(found: RegimeAlarms) -> list[dict[str, Any]]:
    """Alarms as JSON-ready rows: the close at which each was raised, UTC, what was said there, the likeliest regime."""
    rows = []
    for at in found.alarms.tolist():
        regime, value = int(found.regime[at]), float(found.statistic[at])
        rows.append(
            {
                "time": utc(int(found.series.close_time_ms[at])),
                "close": float(found.series.close[at]),
                "value": round(value, 4),
                "regime": REGIMES[regime] if regime >= 0 else "",
            }
        )
    return rows


def alarm_facts(found: RegimeAlarms) -> dict[str, Any]:
    """Everything beside the rows, JSON-ready."""
    series = found.series
    return {
        "symbol": series.symbol,
        "timeframe": str(series.timeframe),
        "method": found.method,
        "value": STATISTICS[found.method],
        "threshold": found.threshold,
        "false_alarms_asked_in_1000": found.asked,
        "alarms_in_1000_shuffled": found.in_nothing,
        "alarms_in_1000_shuffled_interval": [found.low, found.high],
        "shuffled_candles": found.n_calm,
        "judged_from": utc(int(series.open_time_ms[found.first])),
        "judged_until": utc(int(series.close_time_ms[-1])),
        "judged_candles": found.judged,
        "agreement": found.agreement,
        "notes": list(found.notes),
    }


def write_alarms(found: RegimeAlarms, path: Path) -> Path:
    """Write the alarms to a CSV or JSON file.

    Raises DataError for another ending, StorageError when the disk refuses.
    """
    rows, facts = alarm_rows(found), alarm_facts(found)
    if path.suffix.lower() == ".json":
        return write_json(path, {**facts, "alarms": rows})
    if path.suffix.lower() != ".csv":
        raise DataError(f"Cannot write alarms to {path}.", remedy="Choose a name ending in .csv or .json.")
    text = io.StringIO()
    told = ("symbol", "method", "threshold", "false_alarms_asked_in_1000")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("time", "close", "value", "regime", *told))
    writer.writerows((*row.values(), *(facts[name] for name in told)) for row in rows)
    return write_text(path, text.getvalue())


def draw_alarms(found: RegimeAlarms, path: Path) -> Path:
    """Draw the judged part: the close with a line at every alarm, and below what was held against the threshold.

    Raises DataError unless the file's name ends in .png, StorageError when the disk refuses.
    """
    if path.suffix.lower() != ".png":
        raise DataError(f"Cannot draw to {path}.", remedy="Choose a name ending in .png.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    series, first = found.series, found.first
    figure = Figure(figsize=INCHES, dpi=100, layout="constrained")
    price, value = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    x = np.arange(first, len(series))
    price.plot(x, series.close[first:], color=PRICE, linewidth=0.8)
    value.plot(x, found.statistic[first:], color=VALUE, linewidth=0.7)
    for axes in (price, value):
        for at in found.alarms.tolist():
            axes.axvline(at, color=ALARM, linewidth=0.8, alpha=0.7)
        axes.margins(x=0.005)
    if found.method in ("filter", "likeness"):  # CUSUM's threshold is one of a sum, that of switches of what they left
        value.axhline(found.threshold, color=ALARM, linewidth=0.8, linestyle="--")
    asked = "" if found.asked is None else f", {found.asked:g} false alarms in 1,000 candles asked for"
    price.set_title(
        f"{series.symbol} {series.timeframe}: {len(found.alarms)} alarms by {found.method}{asked}, UTC",
        loc="left", fontsize=10,
    )  # fmt: skip
    price.set_ylabel("close", fontsize=8)
    value.set_ylabel(STATISTICS[found.method], fontsize=8)
    ticks = np.linspace(first, len(series) - 1, 8).round().astype(int)
    value.set_xticks(ticks, [utc(int(series.open_time_ms[t]))[:16] for t in ticks], fontsize=7)
    FigureCanvasAgg(figure)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", metadata={"Software": None})
    return write_bytes(path, memory.getvalue())

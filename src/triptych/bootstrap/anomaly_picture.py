"""What a watched history looked like, as one PNG: the market, the scores by day, the evidence by kind."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl

from triptych.bootstrap.anomaly_watched import Watch
from triptych.domain.files import write_bytes

INCHES, DPI = (11.0, 7.2), 90
_BUCKETS = 260  # of the heat map: narrower ones cannot be seen
_WIDE = 1.6  # of the logarithm: a market that moves by a factor of five is marked at 1, 2 and 5 only


def draw_watch(watch: Watch, path: Path) -> Path:
    """Draw a watch and return the file. Raises StorageError when the disk refuses."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    market, scores, heat = figure.subplots(3, 1, sharex=True, height_ratios=(2, 2.4, 2.2))
    time = watch.frame["time"].to_numpy()
    thin = slice(None, None, max(1, len(time) // 3000))
    market.plot(time[thin], np.exp(watch.strength[thin]), color="#333333", linewidth=0.8)
    market.set_yscale("log")
    market.yaxis.set_major_formatter("{x:g}")
    if np.ptp(watch.strength) > _WIDE:
        market.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        market.yaxis.set_minor_formatter("")
    else:
        market.yaxis.set_minor_formatter("{x:g}")
    market.tick_params(axis="y", which="both", labelsize=7)
    market.set_ylabel("mean of the market, log")
    market.set_title(watch.summary["title"], loc="left", fontsize=11)
    day = watch.days["day"].to_numpy()
    highest, alarms = watch.days["highest"].to_numpy(), watch.days["alarms"].to_numpy() > 0
    scores.vlines(day, 0, highest, color="#9aa5b1", linewidth=0.7, label="highest score of a day")
    scores.scatter(day[alarms], highest[alarms], s=7, color="#c0392b", zorder=3, label="day with an alarm")
    for other, height in zip(watch.beside, (0.02, 0.05, 0.08), strict=False):
        alarmed = other.days.filter(pl.col("alarms") > 0)["day"].to_numpy()
        level = np.full(len(alarmed), height * float(np.nanmax(highest)))
        scores.scatter(
            alarmed, level, s=5, marker="|", color="#1b7837", zorder=3, label=f"with an alarm of {other.detector}"
        )
    limits = watch.frame["threshold"].to_numpy()
    scores.plot(time[thin], limits[thin], color="#2166ac", linewidth=0.9, label="threshold")
    scores.set_ylim(0, 1.18 * float(np.nanmax(highest)))
    scores.set_ylabel("score")
    scores.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), fontsize=7, ncols=4, frameon=False)
    market.set_xlim(time[0], time[-1])
    side, before = "right", None
    for one in sorted(watch.marks, key=lambda mark: mark.day):
        when = np.datetime64(one.day)
        close = before is not None and (when - before) < 0.02 * (time[-1] - time[0])
        side, before = ("left" if close and side == "right" else "right"), when
        for axes in (market, scores):
            axes.axvline(when, color="#e67e22", linewidth=0.8, linestyle=":")
        scores.annotate(
            f"{one.day[2:]}, rank {one.rank}", (when, 1.17 * float(np.nanmax(highest))), fontsize=6.5, rotation=90,
            va="top", ha=side, color="#a04000",
        )  # fmt: skip
    edges = np.unique(np.linspace(0, len(time), min(_BUCKETS, len(time)) + 1).astype(int))
    most = np.maximum.reduceat(watch.evidence.max(axis=1), edges[:-1], axis=0)
    borders = time[np.minimum(edges, len(time) - 1)]
    heat.pcolormesh(borders, np.arange(len(watch.kinds) + 1), most.T, cmap="viridis", vmin=0, vmax=10, rasterized=True)
    heat.set_yticks(np.arange(len(watch.kinds)) + 0.5, watch.kinds, fontsize=6.5)
    heat.set_ylabel("greatest evidence by kind")
    FigureCanvasAgg(figure)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})
    return write_bytes(path, memory.getvalue())

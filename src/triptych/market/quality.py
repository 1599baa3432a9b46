"""The quality report: what is wrong or odd in a history, counted, placed in time and weighed, before anyone trusts it.

It looks at the rows as they lie, so disorder and duplicates are seen; prices are then judged on the valid rows, in
order and once each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from rich.markup import escape
from rich.table import Table

from triptych.domain import CANDLE_FIELDS, CLOSE, HIGH, LOW, OPEN, VOLUME, CandleSeries, Timeframe, utc
from triptych.domain.config import Config
from triptych.domain.errors import ColumnError, DataError
from triptych.market.cleaning import ROUNDING
from triptych.market.frames import SCHEMA, SYMBOL, TIMESTAMP, to_frame
from triptych.market.quality_checks import find_outliers, find_spikes, find_stale_runs, find_wicks, robust_scale
from triptych.market.sessions import find_breaks

Severity = Literal["info", "warning", "error"]
_ORDER: Final = ("info", "warning", "error")
_COLOURS: Final = {"info": "dim", "warning": "yellow", "error": "red"}
_INT = NDArray[np.int64]
_FLOAT = NDArray[np.float64]


class QualityConfig(Config):
    """Thresholds of the quality report."""

    outlier_z: float = Field(
        default=15.0,
        description="Robust z of a candle's log return (median and MAD of the history) beyond which it is an outlier.",
        gt=0,
    )
    extreme_z: float = Field(default=50.0, description="Robust z beyond which an outlier is a warning.", gt=0)
    spike_z: float = Field(
        default=25.0, description="Robust z of a jump into a false price; the way back may be a third of it.", gt=0
    )
    spike_candles: int = Field(default=40, description="Longest false price, in candles.", ge=1)
    wick_z: float = Field(
        default=25.0, description="High or low beyond open and close, in robust deviations of the log returns.", gt=0
    )
    stale_candles: int = Field(
        default=5, description="Shortest run of identical prices that is reported, in candles.", ge=2
    )
    gap_share: float = Field(
        default=0.01, description="Share of missing candles above which gaps are a warning.", ge=0, le=1
    )
    zero_volume_share: float = Field(
        default=0.01, description="Share of candles without volume above which they are a warning.", ge=0, le=1
    )
    stale_share: float = Field(
        default=0.01, description="Share of candles in stale runs above which they are a warning.", ge=0, le=1
    )
    places: int = Field(default=5, description="How many first places of each finding are listed.", ge=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing found: `count` of rows or candles, the first `places` in UTC or as rows, `detail` in words."""

    check: str
    severity: Severity
    count: int
    detail: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityReport:
    """What was found in one history; `first` and `last` are open times in UTC ms, None without a readable row."""

    symbol: str
    timeframe: Timeframe
    rows: int
    first: int | None
    last: int | None
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> Severity:
        """The worst of the findings; "info" when there is none."""
        return max((finding.severity for finding in self.findings), key=_ORDER.index, default="info")

    @property
    def verdict(self) -> str:
        """One line: may this history be used?"""
        name = f"{self.symbol} {self.timeframe}, {self.rows:,} candles"
        bad = [finding.check for finding in self.findings if finding.severity == self.severity]
        if self.severity == "error":
            return f"{name}: not usable as it is ({', '.join(bad)})."
        if self.severity == "warning":
            return f"{name}: usable with care ({', '.join(bad)})."
        return f"{name}: good."

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON: strings, numbers and lists only, the same for the same rows."""
        return {
            "symbol": self.symbol,
            "timeframe": str(self.timeframe),
            "rows": self.rows,
            "first": None if self.first is None else utc(self.first),
            "last": None if self.last is None else utc(self.last),
            "severity": self.severity,
            "verdict": self.verdict,
            "findings": [
                {
                    "check": f.check,
                    "severity": f.severity,
                    "count": f.count,
                    "detail": f.detail,
                    "places": list(f.places),
                }
                for f in self.findings
            ],
        }

    def table(self) -> Table:
        """The report as a table for the terminal."""
        table = Table(title=escape(self.verdict), title_justify="left")
        for heading in ("check", "severity", "count", "what", "first places (UTC)"):
            table.add_column(heading, justify="right" if heading == "count" else "left", overflow="fold")
        for finding in self.findings:
            colour = _COLOURS[finding.severity]
            severity = f"[{colour}]{finding.severity}[/{colour}]"
            table.add_row(finding.check, severity, f"{finding.count:,}", finding.detail, "\n".join(finding.places[:3]))
        return table


def check_quality(
    source: pl.DataFrame | CandleSeries,
    timeframe: str | Timeframe | None = None,
    *,
    symbol: str | None = None,
    config: QualityConfig | None = None,
) -> QualityReport:
    """Look for blemishes in the candles of one symbol.

    Args:
        source: a series, or a frame with the canonical columns, as `RawCandles.by_symbol` gives; nulls are allowed.
        timeframe: length of a candle; may be left out for a series.
        symbol: how the report calls the history. Default: the series' symbol or the frame's symbol column.
        config: thresholds.

    Raises ColumnError for a frame without the columns, DataError for several symbols or no timeframe.
    """
    config = config or QualityConfig()
    if isinstance(source, CandleSeries):
        timeframe = source.timeframe if timeframe is None else timeframe
        symbol = symbol or source.symbol
        frame = to_frame(source)
    else:
        frame, symbol = source, symbol or _symbol_of(source)
    if timeframe is None:
        raise DataError(f"{symbol}: the quality of candles needs their timeframe.", remedy="Say it: `--timeframe 15m`.")
    length = Timeframe.parse(timeframe)
    missing_columns = [name for name in SCHEMA if name not in frame.columns]
    if missing_columns:
        raise ColumnError(
            f"{symbol}: a quality report needs the columns {', '.join(SCHEMA)}; missing: {', '.join(missing_columns)}.",
            remedy="Read the source with `read_raw`.",
        )
    times = frame[TIMESTAMP].cast(pl.Int64)
    has_time = times.is_not_null().to_numpy()
    time_ms: _INT = times.fill_null(0).to_numpy()
    values = np.column_stack(
        [frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in CANDLE_FIELDS]
    )
    looks = _Looks(config=config)
    looks.at_rows(time_ms, has_time, values)
    times_once, valid = _once_in_order(time_ms, has_time, values)
    looks.at_grid(times_once, length)
    looks.at_prices(*valid)
    known = time_ms[has_time]
    return QualityReport(
        symbol=symbol or "", timeframe=length, rows=frame.height,
        first=int(known.min()) if known.size else None, last=int(known.max()) if known.size else None,
        findings=tuple(sorted(looks.findings, key=lambda finding: -_ORDER.index(finding.severity))),
    )  # fmt: skip


def _symbol_of(frame: pl.DataFrame) -> str:
    if SYMBOL not in frame.columns:
        return ""
    names = frame[SYMBOL].unique(maintain_order=True).to_list()
    if len(names) > 1:
        raise DataError(
            f"A quality report looks at one symbol; the frame holds {', '.join(map(str, names[:8]))}.",
            remedy="Check them one by one, as `RawCandles.by_symbol` gives them.",
        )
    return str(names[0]) if names else ""


def _once_in_order(time_ms: _INT, has_time: NDArray[np.bool_], values: _FLOAT) -> tuple[_INT, tuple[_INT, _FLOAT]]:
    """All readable times, rising and once each, and the valid candles among them, also once each."""
    ok = has_time & np.isfinite(values[:, :4]).all(axis=1) & (values[:, :4] > 0).all(axis=1)
    times, rows = time_ms[ok], np.flatnonzero(ok)
    if (np.diff(times) <= 0).any():
        times, first = np.unique(times, return_index=True)
        rows = rows[first]
    every = time_ms[has_time]
    if (np.diff(every) <= 0).any():
        every = np.unique(every)
    return every, (times, values[rows])


class _Looks:
    """Collects findings. One method per stage: rows as they lie, the grid of times, the prices."""

    def __init__(self, *, config: QualityConfig) -> None:
        self._config = config
        self.findings: list[Finding] = []

    def _add(
        self, check: str, severity: Severity, places: Sequence[str] | _INT, detail: str, *, count: int | None = None
    ) -> None:
        total = len(places) if count is None else count
        if total:
            first = tuple(p if isinstance(p, str) else utc(int(p)) for p in places[: self._config.places])
            self.findings.append(Finding(check=check, severity=severity, count=total, detail=detail, places=first))

    def at_rows(self, time_ms: _INT, has_time: NDArray[np.bool_], values: _FLOAT) -> None:
        """Unreadable rows, disorder, duplicates, broken rules of a candle."""
        bad = np.flatnonzero(~has_time)
        places = [f"row {row + 1}" for row in bad[: self._config.places]]
        self._add("unreadable time", "error", places, "rows whose time is missing or cannot be read", count=bad.size)
        times, values = time_ms[has_time], values[has_time]
        late = np.flatnonzero(np.diff(times) < 0) + 1
        self._add("disorder", "warning", times[late], "rows that stand after a later one; an import sorts them")
        self._duplicates(times, values)
        o, h, l, c, v = (values[:, i] for i in (OPEN, HIGH, LOW, CLOSE, VOLUME))  # noqa: E741 - the field's own letters
        broken = ~np.isfinite(values[:, :4]).all(axis=1)
        self._add("missing price", "error", times[broken], "open, high, low or close is no number")
        self._add(
            "price not positive",
            "error",
            times[(values[:, :4] <= 0).any(axis=1)],
            "open, high, low or close is zero or less",
        )
        self._add("high below low", "error", times[h < l], "high is below low")
        too_low, too_high = h < np.maximum(o, c) * (1 - ROUNDING), l > np.minimum(o, c) * (1 + ROUNDING)
        outside = (h >= l) & (too_low | too_high)
        self._add("open or close outside", "error", times[outside], "high and low do not contain open and close")
        self._add("missing volume", "error", times[~np.isfinite(v)], "volume is no number")
        self._add("negative volume", "error", times[v < 0], "volume is below zero")
        self._zero_volume(times, v)

    def _duplicates(self, times: _INT, values: _FLOAT) -> None:
        if not times.size or (np.diff(times) > 0).all():
            return
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        repeats = np.flatnonzero(np.diff(times) == 0) + 1
        equal = (values[repeats] == values[repeats - 1]).all(axis=1)
        self._add(
            "duplicates", "warning", times[repeats[equal]], "rows that repeat another one; an import removes them"
        )
        detail = "rows of one time with different values; say which to take"
        self._add("conflicting duplicates", "error", times[repeats[~equal]], detail)

    def _zero_volume(self, times: _INT, volume: _FLOAT) -> None:
        zero = times[volume == 0]
        share = zero.size / max(1, times.size)
        if share == 1:
            self._add("zero volume", "warning", zero, "the history has no volume at all")
        else:
            severity: Severity = "warning" if share > self._config.zero_volume_share else "info"
            self._add("zero volume", severity, zero, f"{share:.2%} of the candles have no volume")

    def at_grid(self, times: _INT, timeframe: Timeframe) -> None:
        """Gaps, sessions, candles beside the grid."""
        if times.size < 2:
            return
        breaks = find_breaks(times, timeframe)
        gaps = breaks.after[~breaks.is_session]
        missing = int(breaks.missing.sum())
        share = missing / (missing + times.size)
        length = timeframe.milliseconds
        places = [
            f"{utc(int(times[i]) + length)} .. {utc(int(times[i + 1]))} ({n:,})"
            for i, n in zip(gaps[: self._config.places], breaks.missing[~breaks.is_session], strict=False)
        ]
        severity: Severity = "warning" if share > self._config.gap_share else "info"
        self._add(
            "gaps",
            severity,
            places,
            f"{missing:,} candles ({share:.2%}) missing in {gaps.size:,} {'gap' if gaps.size == 1 else 'gaps'}",
            count=gaps.size,
        )
        sessions = breaks.after[breaks.is_session]
        if sessions.size:
            longest = int((times[sessions + 1] - times[sessions]).max()) / 86_400_000
            detail = (
                f"nights, weekends, holidays, the longest {longest:.1f} days; {breaks.open_share:.0%} of the week open"
            )
            self._add("session breaks", "info", times[sessions] + length, detail)
        close = np.flatnonzero(np.diff(times) < length) + 1
        self._add("too close", "warning", times[close], f"candles less than {timeframe} after the one before")
        beside = times[times % length != timeframe.floor(0) % length]
        detail = f"candles that do not open on the {timeframe} grid (UTC)"
        self._add("off the grid", "info", beside, detail)

    def at_prices(self, times: _INT, values: _FLOAT) -> None:
        """Outliers, false prices, long wicks, stale prices, among valid candles."""
        if times.size < 3:
            return
        config, close = self._config, values[:, CLOSE]
        outliers, z = find_outliers(close, config.outlier_z)
        places = [
            f"{utc(int(times[i]))} ({close[i] / close[i - 1] - 1:+.1%}, z {z[i - 1]:+.0f})"
            for i in outliers[: config.places]
        ]
        furthest = int(np.argmax(np.abs(z)))
        detail = (
            f"log returns beyond {config.outlier_z:g} robust deviations, the furthest {z[furthest]:+.0f} "
            f"at {utc(int(times[furthest + 1]))}"
        )
        severity: Severity = "warning" if (np.abs(z) > config.extreme_z).any() else "info"
        self._add("outliers", severity, places, detail, count=outliers.size)
        spikes = find_spikes(close, z, threshold=config.spike_z, longest=config.spike_candles)
        places = [
            f"{utc(int(times[a]))} .. {utc(int(times[b]))} ({close[a] / close[a - 1] - 1:+.0%})" for a, b in spikes
        ]
        detail = f"false prices? jumps that are undone within {config.spike_candles} candles"
        self._add("spikes", "warning", places, detail)
        scale = robust_scale(np.diff(np.log(close)))
        valid = (values[:, HIGH] >= values[:, :4].max(axis=1)) & (values[:, LOW] <= values[:, :4].min(axis=1))
        wicks = find_wicks(values[valid], scale, config.wick_z)
        detail = f"high or low beyond open and close by more than {config.wick_z:g} robust deviations"
        self._add("long wicks", "info", times[valid][wicks], detail)
        starts, lengths = find_stale_runs(values, config.stale_candles)
        count = int(lengths.sum())
        places = [
            f"{utc(int(times[i]))} ({n:,} candles)" for i, n in zip(starts[: config.places], lengths, strict=False)
        ]
        detail = f"{starts.size:,} runs of {config.stale_candles} or more candles with identical prices"
        severity = "warning" if count > config.stale_share * times.size else "info"
        self._add("stale prices", severity, places, detail, count=count)

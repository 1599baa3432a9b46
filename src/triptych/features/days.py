"""Trading days of equal length: every candle has its place in its day, and one that is missing leaves its place empty.

A picture that shows a day as so many rows is a picture of days only while every day has as many candles. A half session,
a halt or a hole in the feed would push all that stands before it out of step. So candles are laid out by the clock: the
venue's hours are declared, not guessed from the history, each candle takes the place that its opening time gives it, and
places without a candle hold 0, the score of an average day. A day without any candle (a holiday) takes no room.

The last place of a day is the one that closes with its hours. Whether a candle ends the day is thus known when it closes,
by the clock alone: on a day that broke off early no candle does, for nobody could know at the time that it was the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError

DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000


class Config(BaseConfig):
    """The venue's trading day, for pictures whose rows are parts of a day."""

    hours: tuple[str, ...] = Field(
        (),
        description="Trading hours of a day: ['09:30-11:30', '13:00-15:00']. Windows then hold whole days and end at a "
        "day's close only. Empty: windows hold candle after candle and end at every one.",
    )
    timezone: str = Field("UTC", description="Time zone of these hours, such as Asia/Shanghai.")
    parts: int = Field(
        1,
        ge=1,
        le=1440,
        description="The hours are cut into so many equal parts, each a day to the picture: 6 makes days of four hours "
        "of a market that never closes (hours '00:00-24:00').",
    )

    @field_validator("timezone")
    @classmethod
    def _must_be_known(cls, value: str) -> str:
        try:
            pl.Series([0]).cast(pl.Datetime("ms")).dt.replace_time_zone(value)
        except pl.exceptions.PolarsError as error:
            raise ValueError(f"unknown time zone {value!r}; write it like UTC or Asia/Shanghai") from error
        return value

    @model_validator(mode="after")
    def _must_rise(self) -> Config:
        sessions = self.sessions_ms
        ends = [moment for session in sessions for moment in session]
        if any(start >= stop for start, stop in sessions) or ends != sorted(ends) or any(e > DAY_MS for e in ends):
            raise ValueError("hours must follow one another within a day, such as ['09:30-11:30', '13:00-15:00']")
        return self

    @property
    def sessions_ms(self) -> tuple[tuple[int, int], ...]:
        """Begin and end of each session, milliseconds since local midnight."""
        return tuple(_session(text) for text in self.hours)


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where candles stand on days of equal length.

    Attributes:
        at: int64 of shape (n_candles,), rising but for -1: row of each candle; -1 of one outside the hours.
        closes: bool of shape (n_candles,): the candle closes its day.
        per_day: rows of a day.
        count: rows of all days that have a candle.
    """

    at: NDArray[np.int64]
    closes: NDArray[np.bool_]
    per_day: int
    count: int

    @property
    def outside(self) -> int:
        """Candles outside the hours."""
        return int(np.count_nonzero(self.at < 0))

    @property
    def empty(self) -> int:
        """Places without a candle, before the last candle."""
        inside = self.at[self.at >= 0]
        return int(inside[-1] + 1 - len(np.unique(inside))) if inside.size else 0

    def lay(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows of candles, shape (n_candles, n_columns), as rows of places, (count, n_columns); empty places are 0."""
        laid = np.zeros((self.count, rows.shape[1]), dtype=rows.dtype)
        inside = self.at >= 0
        laid[self.at[inside]] = rows[inside]
        return laid


def candles_a_day(timeframe_ms: int, config: Config) -> int:
    """Places in a day of the picture. Raises RecipeError when candles of this length do not fill the hours."""
    sessions = config.sessions_ms
    if any((stop - start) % timeframe_ms for start, stop in sessions):
        raise RecipeError(
            f"Candles of {timeframe_ms // MINUTE_MS} minutes do not fill the hours {', '.join(config.hours)}.",
            remedy="Set features.day.hours to whole candles, or resample by data.timeframe.",
        )
    candles = sum(stop - start for start, stop in sessions) // timeframe_ms
    if candles % config.parts:
        raise RecipeError(
            f"The {candles} candles of a day cannot be cut into {config.parts} equal parts.",
            remedy="Set features.day.parts to a divisor.",
        )
    return candles // config.parts


def places(open_time_ms: NDArray[np.int64], timeframe_ms: int, config: Config) -> Places:
    """The place of every candle.

    Args:
        open_time_ms: rising, UTC milliseconds, shape (n_candles,).
        timeframe_ms: length of a candle.
        config: with hours.

    Raises RecipeError when candles of this length do not fill the hours.
    """
    per_day = candles_a_day(timeframe_ms, config)
    local = _local(open_time_ms, config.timezone)
    into = local % DAY_MS
    slot = np.full(len(local), -1, dtype=np.int64)
    before = 0
    for start, stop in config.sessions_ms:
        mine = (into >= start) & (into < stop) & ((into - start) % timeframe_ms == 0)
        slot[mine] = before + (into[mine] - start) // timeframe_ms
        before += (stop - start) // timeframe_ms
    inside = slot >= 0
    day = local // DAY_MS * config.parts + slot // per_day
    days, number = np.unique(day[inside], return_inverse=True)
    at = np.full(len(local), -1, dtype=np.int64)
    at[inside] = number * per_day + slot[inside] % per_day
    return Places(at=at, closes=inside & (slot % per_day == per_day - 1), per_day=per_day, count=len(days) * per_day)


def _session(text: str) -> tuple[int, int]:
    try:
        start, stop = (_time_ms(part) for part in text.split("-"))
    except ValueError as error:
        raise ValueError(f"cannot read the hours {text!r}; write them like '09:30-11:30'") from error
    return start, stop


def _time_ms(text: str) -> int:
    hours, minutes = text.strip().split(":")
    if not (hours.isdigit() and minutes.isdigit() and int(minutes) < 60):
        raise ValueError(text)
    return (60 * int(hours) + int(minutes)) * MINUTE_MS


def _local(time_ms: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """The clock on the wall, as milliseconds since 1970-01-01T00:00 there."""
    if timezone == "UTC":
        return time_ms
    zoned = pl.Series(time_ms).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC").dt.convert_time_zone(timezone)
    local: NDArray[np.int64] = zoned.dt.replace_time_zone(None).dt.epoch("ms").to_numpy()
    return local


def weekday_opens(count: int, first_ms: int, timeframe_ms: int, config: Config) -> NDArray[np.int64]:
    """Opening times of the first `count` places on weekdays from a time on, UTC milliseconds: a calendar to invent by.

    Raises RecipeError as `places` does.
    """
    into = np.concatenate([np.arange(start, stop, timeframe_ms) for start, stop in config.sessions_ms])
    candles_a_day(timeframe_ms, config)
    date = np.datetime64(first_ms, "ms").astype("datetime64[D]")
    days = np.busday_offset(date, np.arange(-(-count // len(into))), roll="forward").astype("datetime64[ms]")
    local = (days.astype(np.int64)[:, None] + into).ravel()[:count]
    walls = pl.Series(local).cast(pl.Datetime("ms"))
    zoned = walls.dt.replace_time_zone(config.timezone, ambiguous="earliest").dt.convert_time_zone("UTC")
    opens: NDArray[np.int64] = zoned.dt.epoch("ms").to_numpy()
    return opens

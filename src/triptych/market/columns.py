"""Which column of a stranger's table plays which part: one table of synonyms, no guessing beyond it.

Names are compared without case, punctuation and leading numbers: `Adj Close`, `<CLOSE>`, `1. close` and `Volume
(BTC)` read as `adj_close`, `close`, `close` and `volume_btc`. For each role the groups of `SYNONYMS` are tried in
order and the first group with a hit decides; two hits in one group are ambiguous.

    timestamp   one column with the whole time: text, epoch number, date or datetime
    date, time  the same in two columns, as MetaTrader writes it
    open high low close volume
    symbol      makes the table a panel
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from triptych.domain.errors import ColumnError

ROLES: Final = ("timestamp", "date", "time", "open", "high", "low", "close", "volume", "symbol")
PRICE_ROLES: Final = ("open", "high", "low", "close")

# German, French, Spanish and Italian, as the exports of brokers there write them.
_OPEN_ABROAD: Final = ("eröffnung", "eroeffnung", "eröffnungskurs", "erster", "ouverture", "apertura")
_HIGH_ABROAD: Final = ("hoch", "hochkurs", "tageshoch", "plus_haut", "haut", "máximo", "maximo", "massimo")
_LOW_ABROAD: Final = ("tief", "tiefkurs", "tagestief", "plus_bas", "bas", "mínimo", "minimo")
_CLOSE_ABROAD: Final = ("schluss", "schlusskurs", "schlußkurs", "clôture", "cloture", "cierre", "chiusura")

SYNONYMS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "timestamp": (
        ("timestamp",),
        ("open_time", "opentime", "time_open", "start_time", "starttime", "open_timestamp", "kline_start_time"),
        ("candle_begin_time", "period_start", "bar_start", "ts", "t"),
        ("unix", "unix_time", "unixtime", "unix_timestamp", "epoch", "epoch_time", "timestamp_ms", "timestamp_utc"),
        ("datetime", "date_time", "gmt_time", "local_time", "utc_time", "time_utc", "datetime_utc", "日期时间"),
        ("zeitstempel", "datum_uhrzeit", "horodatage", "fecha_hora"),
    ),
    "date": (("date",), ("trade_date", "trading_date", "day", "日期", "交易日期"), ("datum", "fecha", "data")),
    "time": (("time",), ("clock", "hour", "时间"), ("zeit", "uhrzeit", "heure", "hora")),
    "index": (("", "index", "unnamed_0", "index_level_0", "level_0"),),
    "open": (
        ("open",),
        ("o", "open_price", "openprice", "price_open", "opening_price", "开盘", "开盘价"),
        _OPEN_ABROAD,
    ),
    "high": (
        ("high",),
        ("h", "high_price", "highprice", "price_high", "highest", "max", "最高", "最高价"),
        _HIGH_ABROAD,
    ),
    "low": (("low",), ("l", "low_price", "lowprice", "price_low", "lowest", "min", "最低", "最低价"), _LOW_ABROAD),
    "close": (
        ("close",),
        ("c", "close_price", "closeprice", "price_close", "closing_price", "close_last", "收盘", "收盘价"),
        _CLOSE_ABROAD,
        ("last", "last_price", "price"),
    ),
    "volume": (
        ("volume",),
        ("base_volume", "volume_base", "basevolume", "volumefrom", "volume_from"),
        ("vol", "v", "trade_volume", "total_volume", "成交量"),
        ("volumen", "stück", "volumes"),
        ("tick_volume", "tickvolume", "tickvol"),
    ),
    "symbol": (
        ("symbol",),
        ("ticker", "tic", "instrument", "instrument_id", "ts_code", "stock_code", "股票代码"),
        ("pair", "coin", "asset", "contract", "code", "product_code"),
        ("name",),
    ),
}

CLOSE_TIMES: Final = (
    "close_time", "closetime", "time_close", "end_time", "endtime", "close_timestamp", "kline_close_time", "period_end",
    "bar_end",
)  # fmt: skip
"""When a candle closed: no name of a candle, and yet a time."""

TIME_NAMES: Final = (
    *(name for role in ("timestamp", "date", "time") for group in SYNONYMS[role] for name in group),
    "time_stamp", "ts_ms", "ts_event", "event_time", "event_timestamp", "trade_time", "transact_time", "created_at",
    "recorded_at", "measured_at", "dt", "epoch_ms", "unix_ms", *CLOSE_TIMES,
)  # fmt: skip
"""Columns of any table that say when its rows were, normalised, the surest first: those of candles, then others."""

# `Volume USDT` counts money, `Volume BTC` counts coins: candles hold the latter.
_MONEY: Final = frozenset(
    "usd usdt usdc busd tusd dai eur gbp jpy krw cny try brl aud chf quote currency money".split()  # noqa: SIM905
)


def normalise(name: str) -> str:
    """The form in which names are compared: lower case, words joined by one underscore, no leading number."""
    plain = re.sub(r"[\W_]+", "_", name.strip().lower()).strip("_")
    return re.sub(r"^\d+_", "", plain)


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Names of the source's columns by role. `clock` is set when date and time of day stand in two columns."""

    timestamp: str
    clock: str | None
    open: str
    high: str
    low: str
    close: str
    volume: str | None
    symbol: str | None

    def of(self, role: str) -> str | None:
        """The source's column for a role."""
        name: str | None = getattr(self, role)
        return name


def detect_columns(seen: Sequence[str], *, asked: Mapping[str, str] | None = None, where: str) -> Columns:
    """Find the columns of candles among `seen`; `asked` maps roles to columns and goes first.

    Raises ColumnError that names `where`, the columns seen, what is missing or ambiguous, and the remedy.
    """
    given = _given(seen, asked or {}, where)
    # A column the user has given a role plays no other one.
    free = [name for name in seen if name not in given.values()]
    found = {role: given.get(role) or _find(role, free, where) for role in ROLES if role not in ("date", "time")}
    timestamp, clock = _time_columns(given, free, where, found["timestamp"])
    needed = {"timestamp": timestamp, **{role: found[role] for role in PRICE_ROLES}}
    missing = [role for role, name in needed.items() if name is None]
    if missing:
        raise _missing(seen, missing, where)
    volume = found["volume"] or _coin_volume(free, where)
    return Columns(
        timestamp=str(timestamp), clock=clock, volume=volume, symbol=found["symbol"],
        **{role: str(found[role]) for role in PRICE_ROLES},
    )  # fmt: skip


def _given(seen: Sequence[str], asked: Mapping[str, str], where: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for role, wanted in asked.items():
        if role not in ROLES:
            raise ColumnError(
                f"{where}: unknown role {role!r} for column {wanted!r}.", remedy=f"Roles: {', '.join(ROLES)}."
            )
        matches = [name for name in seen if name == wanted] or [
            name for name in seen if name.strip().lower() == wanted.strip().lower()
        ]
        if len(matches) != 1:
            raise ColumnError(
                f"{where}: the column {wanted!r} asked for as {role} is not there.",
                remedy=f"Columns of the source: {', '.join(map(repr, seen))}.",
            )
        given[role] = matches[0]
    return given


def _find(role: str, seen: Sequence[str], where: str) -> str | None:
    for group in SYNONYMS[role]:
        hits = [name for name in seen if normalise(name) in group]
        if len(hits) > 1:
            raise ColumnError(
                f"{where}: the columns {' and '.join(map(repr, hits))} both look like {role}.",
                remedy=f"Say which: `--column {role}={hits[0]}`, in Python columns={{{role!r}: {hits[0]!r}}}.",
            )
        if hits:
            return hits[0]
    return None


def _time_columns(
    given: Mapping[str, str], free: Sequence[str], where: str, timestamp: str | None
) -> tuple[str | None, str | None]:
    if timestamp is not None and ("timestamp" in given or not {"date", "time"} & set(given)):
        return timestamp, None
    date = given.get("date") or _find("date", free, where)
    time = given.get("time") or _find("time", free, where)
    if date is not None and time is not None:
        return date, time
    return date or time or _find("index", free, where), None


def _coin_volume(seen: Sequence[str], where: str) -> str | None:
    named = {name: normalise(name).removeprefix("volume_") for name in seen if normalise(name).startswith("volume_")}
    coins = [name for name, unit in named.items() if unit not in _MONEY]
    if len(coins) > 1:
        raise ColumnError(
            f"{where}: the columns {' and '.join(map(repr, coins))} both look like volume.",
            remedy=f"Say which: `--column volume={coins[0]}`, in Python columns={{'volume': {coins[0]!r}}}.",
        )
    return coins[0] if coins else None


def _missing(seen: Sequence[str], missing: Sequence[str], where: str) -> ColumnError:
    words = missing[0] if len(missing) == 1 else f"{', '.join(missing[:-1])} and {missing[-1]}"
    shown = ", ".join(map(repr, seen[:20])) + (f" and {len(seen) - 20} more" if len(seen) > 20 else "")
    first = next((role for role in reversed(missing) if role != "timestamp"), missing[0])
    closing = ""
    if "timestamp" in missing and any(normalise(name) in CLOSE_TIMES for name in seen):
        closing = " A candle is named by the time it opens, so a closing time does not serve."
    prices = ""
    if any(role in missing for role in PRICE_ROLES):
        prices = " Candles need open, high, low and close; a table of closes alone is not enough."
    return ColumnError(
        f"{where}: no column for {words} among {shown}.{closing}",
        remedy=f"Name the column: `--column {first}=NAME`, in Python columns={{{first!r}: 'NAME'}}.{prices}",
    )

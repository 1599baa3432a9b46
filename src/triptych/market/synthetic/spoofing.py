"""A simulated stream of books with planted spoofing, and with honest behaviour that looks like it.

Books on a grid of ticks around a mid that walks; ordinary levels are log-normal. Planted are episodes, one after the
other with quiet rows between:

- spoofing: several large orders appear together away from the touch, grow the impression of pressure for some rows
  while the other side's touch trades, and all vanish before the price comes. At that touch stands the spoofer's own
  order, as large as a layer: those who were lured eat it, one trade takes what is left of it, and with that the layers
  go;
- patient wall: one large order away from the touch that stays until the price reaches and fills it;
- honest pull: one large order that is withdrawn without anything traded on the other side;
- market maker: large orders on both sides that appear and vanish together;
- lonely layers: layers that vanish together while no more trades than usual on the other side;
- runaway: layers that are pulled because the price has run away from them, after they stood long.

The last five are hard negatives: each shares some marks of spoofing and lacks one. Levels and trades outside of
episodes are noise of the same law. `own = 0` leaves the spoofer's own order out of the books: the easier case, in which
only the layers are seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.market.books.tape import BookTape
from triptych.market.books.trades import Trades
from triptych.market.synthetic.streams import autoregression, stream

Kind = Literal["spoofing", "patient wall", "honest pull", "market maker", "lonely layers", "runaway"]
KINDS: Final[tuple[Kind, ...]] = (
    "spoofing", "patient wall", "honest pull", "market maker", "lonely layers", "runaway",
)  # fmt: skip
STEP_MS: Final = 100


class Config(BaseConfig):
    """Shape of the simulated stream."""

    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of everything.")
    episodes: int = Field(60, ge=1, le=100_000, description="Planted episodes; a third are spoofing.")
    levels: int = Field(15, ge=10, le=100, description="Levels a side, each a tick from the next.")
    mid: float = Field(1000.0, gt=0, description="First mid, in quote currency.")
    tick: float = Field(0.1, gt=0, description="Price step, in quote currency.")
    quiet_rows: int = Field(60, ge=30, le=10_000, description="Least rows between two episodes.")
    size: float = Field(2.0, gt=0, description="Ordinary size of a level, in base units.")
    noise: float = Field(0.4, ge=0, le=2, description="Standard deviation of the log size of a level.")
    large: float = Field(8.0, gt=1, description="Size of planted orders, in ordinary levels; varies by a half.")
    move: float = Field(0.06, gt=0, lt=0.5, description="Chance of a row that the mid moves a tick up, and down.")
    trade: float = Field(0.2, gt=0, lt=0.5, description="Chance of a row of an ordinary trade on either side.")
    bursts: float = Field(0.8, ge=0, le=2, description="Standard deviation of the log chance of a trade: bursts.")
    lure: float = Field(3.0, gt=1, description="Chance of a trade that a spoofer lures, in ordinary ones; varies.")
    own: float = Field(
        8.0,
        ge=0,
        description="Size of a spoofer's own order, in ordinary levels; varies by a half. 0: it is not shown.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """A planted episode: rows `first` .. `last` in which its orders stand; they are gone at `last` + 1.

    `side` is that of the large orders, 1 for bids, -1 for asks, 0 for both.
    """

    kind: Kind
    side: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoofedStream:
    """Books every 100 ms, the trades between them, and what was planted."""

    tape: BookTape
    trades: Trades
    episodes: tuple[Episode, ...]


def simulate_spoofing(config: Config | None = None) -> SpoofedStream:
    """The stream of a config; fixed by its seed."""
    config = config or Config()
    random = stream(config.seed, "spoofing")
    episodes = _plan(config, random)
    n = episodes[-1].last + 1 + config.quiet_rows
    mid_ticks = _walk(config, episodes, n, random)
    bid = mid_ticks[:, None] - np.arange(config.levels)
    ask = mid_ticks[:, None] + 1 + np.arange(config.levels)
    # A resting order keeps its size from row to row while its price is in the book: noise sits on prices.
    low, high = int(bid.min()), int(ask.max())
    shape = (n, high - low + 1)
    log_size = np.zeros(shape)
    shocks = random.standard_normal(shape)
    log_size[0] = shocks[0]
    for row in range(1, n):
        log_size[row] = np.where(random.random(shape[1]) < 0.15, shocks[row], log_size[row - 1])
    grid = config.size * np.exp(config.noise * log_size)
    for episode in episodes:
        _plant(grid, episode, config, mid_ticks, low, random)
    aggressor, traded = _aggressors(config, episodes, n, random)
    for episode in episodes:
        if episode.kind == "spoofing" and config.own:
            _plant_own(grid, episode, config, int(mid_ticks[episode.first]), low, aggressor, traded)
    rows = np.arange(n)[:, None]
    time_ms = 1_700_000_000_000 + STEP_MS * np.arange(n, dtype=np.int64)
    tape = BookTape(
        symbol="SPOOF", time_ms=time_ms,
        bid_prices=(bid * config.tick).astype(np.float64), bid_sizes=grid[rows, bid - low],
        ask_prices=(ask * config.tick).astype(np.float64), ask_sizes=grid[rows, ask - low],
    )  # fmt: skip
    return SpoofedStream(tape=tape, trades=_trades(tape, aggressor, traded), episodes=tuple(episodes))


def _plan(config: Config, random: np.random.Generator) -> list[Episode]:
    episodes: list[Episode] = []
    at = 2 * config.quiet_rows
    for _ in range(config.episodes):
        kind = KINDS[0] if random.random() < 1 / 3 else KINDS[int(random.integers(1, len(KINDS)))]
        lasts = int(random.integers(40, 80)) if kind in ("patient wall", "runaway") else int(random.integers(5, 45))
        side = 0 if kind == "market maker" else int(random.choice((-1, 1)))
        episodes.append(Episode(kind=kind, side=side, first=at, last=at + lasts - 1))
        at += lasts + config.quiet_rows + int(random.integers(0, config.quiet_rows))
    return episodes


def _walk(config: Config, episodes: list[Episode], n: int, random: np.random.Generator) -> NDArray[np.int64]:
    """The best bid in ticks. During an episode the price keeps away from the layers, or goes to a patient wall."""
    draw = random.random(n)
    steps = (draw < config.move).astype(np.int64) - (draw > 1 - config.move).astype(np.int64)
    for one in episodes:
        inside = slice(one.first, one.last + 1)
        if one.kind == "patient wall":
            steps[inside] = 0
            steps[one.last - 11 : one.last + 2 : 3] = -one.side  # five ticks towards it, the last one through it
        elif one.kind == "runaway":
            steps[inside] = 0
            steps[one.last - 8 : one.last + 1 : 2] = one.side
        elif one.kind == "spoofing" and config.own:
            steps[one.first + 1 : one.last + 2] = 0  # no price goes through the spoofer's own order before it is filled
        else:
            steps[inside] = np.where(steps[inside] == -one.side, 0, steps[inside]) if one.side else 0
            steps[one.last + 1] = 0
    steps[0] = 0
    path: NDArray[np.int64] = round(config.mid / config.tick) + np.cumsum(steps)
    return path


def _plant(
    grid: NDArray[np.float64],
    one: Episode,
    config: Config,
    best_bid: NDArray[np.int64],
    low: int,
    random: np.random.Generator,
) -> None:
    """Put the large orders of an episode into the grid of (row, tick)."""
    layered = one.kind in ("spoofing", "lonely layers", "runaway", "market maker")
    start = int(best_bid[one.first])
    for side in (one.side,) if one.side else (1, -1):
        touch = start if side == 1 else start + 1
        offsets = 3 + random.choice(5, int(random.integers(2, 5)), replace=False) if layered else np.array([4])
        for offset in offsets:
            size = config.large * config.size * float(np.exp(random.normal(0, 0.5)))
            entry = one.first + (int(random.integers(0, 3)) if layered else 0)
            grid[entry : one.last + 1, touch - side * int(offset) - low] = size


def _plant_own(
    grid: NDArray[np.float64],
    one: Episode,
    config: Config,
    best_bid: int,
    low: int,
    aggressor: NDArray[np.int8],
    traded: NDArray[np.float64],
) -> None:
    """Put the spoofer's own order at the other side's touch; it shrinks by what is traded there.

    What is left of it when the layers go is taken by one trade in the row after their last: `aggressor` and `traded`
    are changed there.
    """
    random = stream(config.seed, f"spoofer's own order {one.first}")
    size = config.own * config.size * float(np.exp(random.normal(0, 0.5)))
    eaten = np.cumsum(
        np.where(aggressor[one.first + 1 : one.last + 1] == one.side, traded[one.first + 1 : one.last + 1], 0)
    )
    left = np.maximum(size - np.concatenate(([0.0], eaten)), 0.0)
    grid[one.first : one.last + 1, best_bid + (1 if one.side == 1 else 0) - low] += left
    if left[-1] > 0:
        aggressor[one.last + 1], traded[one.last + 1] = one.side, left[-1]


def _aggressors(
    config: Config, episodes: list[Episode], n: int, random: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Who traded in each row (1 a buyer, -1 a seller, 0 nobody), in bursts, and the size of a trade there.

    There are more trades where a spoofer lures and where a patient wall is filled.
    """
    chance = config.trade * np.exp(
        np.stack([autoregression(random.standard_normal(n), 30.0, config.bursts) for _ in range(2)])
        - config.bursts**2 / 2
    )
    size = config.size * 0.2 * np.exp(config.noise * random.standard_normal(n))
    for one in episodes:
        if one.kind == "spoofing":
            # Layered bids lure buyers, who lift the spoofer's own offer.
            row = 0 if one.side == 1 else 1
            chance[row, one.first + 1 : one.last + 1] *= config.lure * float(np.exp(random.normal(0, 0.4)))
        elif one.kind == "patient wall":
            filling = slice(one.last - 8, one.last + 1)
            chance[1 if one.side == 1 else 0, filling] = 1.0
            size[filling] *= 4.0
    hits = random.random((2, n)) < np.minimum(chance, 1.0)
    aggressor = np.where(hits[0] & hits[1], np.where(random.random(n) < 0.5, 1, -1), hits[0].astype(int) - hits[1])
    return aggressor.astype(np.int8), size


def _trades(tape: BookTape, aggressor: NDArray[np.int8], size: NDArray[np.float64]) -> Trades:
    """Trades at the touch. A trade of row i happened in the 100 ms up to its time."""
    rows = np.flatnonzero(aggressor)
    price = np.where(aggressor[rows] == 1, tape.ask_prices[rows, 0], tape.bid_prices[rows, 0])
    return Trades(
        symbol=tape.symbol, time_ms=tape.time_ms[rows] - STEP_MS // 2, price=price, size=size[rows],
        side=aggressor[rows],
    )  # fmt: skip

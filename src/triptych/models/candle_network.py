"""A small network on the numbers of a few candles: sizes of bodies, shadows and ranges against their own averages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.domain import CLOSE, HIGH, LOW, OPEN
from triptych.domain.errors import RecipeError

BEFORE = 10
"""Candles of the averages that sizes are held against, all before the candle itself, as in TA-Lib."""
NEAR = 5
"""Candles of the mean range that distances between candles are held against."""
LAST = 6
"""Candles at the end of the window that are looked at closely: the longest candle pattern has five."""
EARLIER = 3
"""Candles before each of them whose four prices are held against its own."""
SIZES, DISTANCES = 9, 16 * EARLIER + 1
SMALLEST = 0.02
"""Added to ratios before their logarithm."""
SHARP = 8.0
"""Steepness at which the sign of a distance is shown."""


class CandleNetwork(nn.Module):
    """Windows of candles in, scores out: one perceptron reads each candle, another reads what it said of the last six.

    Everything is measured in mean ranges, so neither price level nor volatility is seen. Sizes are held against their
    averages and distances are shown with their sign, because rules of candle patterns are comparisons: the sign alone
    too, for where a tick is a ten-thousandth of a range a rule still asks on which side of it a price lies. The first
    perceptron is the same for every candle: what it has learnt of an engulfing candle serves a pattern of three candles
    that holds one.
    """

    def __init__(self, length: int, n_outputs: int, *, width: int = 256, depth: int = 3, seed: int = 0) -> None:
        super().__init__()
        if length < BEFORE + LAST:
            raise RecipeError(
                f"A window of candles for their patterns needs {BEFORE + LAST} candles, was {length}.",
                remedy="Lengthen the window.",
            )
        self.length = length
        inside = max(width // 3, 8)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.candle = nn.Sequential(
                nn.Linear(SIZES + 3 * DISTANCES, 2 * inside), nn.SiLU(), nn.Linear(2 * inside, inside), nn.SiLU()
            )
            layers: list[nn.Module] = []
            inputs = LAST * inside
            for _ in range(depth - 1):
                layers += [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.SiLU()]
                inputs = width
            self.layers = nn.Sequential(*layers, nn.Linear(inputs, n_outputs))

    def features(self, window_BTF: Tensor) -> Tensor:
        """What is read of each of the last candles, shape (batch, LAST, SIZES + 3 * DISTANCES), float32."""
        prices = window_BTF[..., : CLOSE + 1].double()
        opens, high, low, close = (prices[..., column] for column in (OPEN, HIGH, LOW, CLOSE))
        body, span = (close - opens).abs(), high - low
        above, below = high - torch.maximum(opens, close), torch.minimum(opens, close) - low
        mean_body, mean_span, mean_shadow = (_before(x, BEFORE) for x in (body, span, (above + below) / 2.0))
        body_, span_, above_, below_ = (x[:, -LAST:] for x in (body, span, above, below))
        pairs = (
            (body_, mean_body), (body_, mean_span), (above_, mean_span), (below_, mean_span), (span_, mean_span),
            (above_, mean_shadow), (below_, mean_shadow), (above_, body_), (below_, body_),
        )  # fmt: skip
        ratios = torch.stack([part / _or_one(whole) for part, whole in pairs], dim=2)
        sizes = torch.log(ratios + SMALLEST).clamp(max=3.0)
        ranges = _or_one(_before(span, NEAR))[..., None]
        now = prices[:, -LAST:]
        apart = [(close - opens)[:, -LAST:, None]]
        for back in range(1, EARLIER + 1):
            was = prices[:, -LAST - back : -back]
            apart.append((now[..., :, None] - was[..., None, :]).flatten(2))
        exact = torch.cat(apart, dim=2)
        distances = (exact / ranges).clamp(-4.0, 4.0)
        return torch.cat((sizes, distances, torch.tanh(SHARP * distances), torch.sign(exact)), dim=2).float()

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Scores of shape (batch, n_outputs)."""
        found: Tensor = self.layers(self.candle(self.features(window_BTF)).flatten(1))
        return found


def _or_one(x: Tensor) -> Tensor:
    """`x` where it is above zero, else 1."""
    return torch.where(x > 0, x, torch.ones_like(x))


def _before(x_BT: Tensor, n: int) -> Tensor:
    """Mean of the `n` values before each of the last candles, shape (batch, LAST)."""
    return x_BT[:, -LAST - n : -1].unfold(1, n, 1).mean(dim=2)

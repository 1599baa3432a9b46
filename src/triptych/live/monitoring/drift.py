"""Drift: does the market, or the model, still look as it did when the model was trained?

Three views of a stream of numbers (a feature, the confidence, hits as 0 and 1): the population stability index and the
Kolmogorov-Smirnov distance of its newest values from a reference, and ADWIN, which needs no reference and finds when
the mean of the stream itself has changed. An alarm is a reason to look, or to trade smaller; nothing is ever retrained
because of it.

Sources: Siddiqi, Credit Risk Scorecards, 2006, chapter 6 (the index; its usual reading is below 0.1 stable, above 0.25
another population); Bifet and Gavalda, "Learning from Time-Changing Data with Adaptive Windowing", SIAM International
Conference on Data Mining, 2007.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych import domain
from triptych.domain.errors import NotEnoughData

_LEAST_SHARE: Final = 1e-4
"""An empty bin counts as this share: the logarithm of nothing is infinite."""


class Config(domain.Config):
    """When a stream of numbers counts as another population."""

    window: int = Field(default=500, ge=50, description="Newest values that are held against the reference.")
    bins: int = Field(
        default=10, ge=2, le=100, description="Bins of the stability index, equally full in the reference."
    )
    psi_alarm: float = Field(default=0.25, gt=0, description="Population stability index from which it is an alarm.")
    ks_p_value: float = Field(
        default=0.001,
        gt=0,
        lt=1,
        description="Probability of the Kolmogorov-Smirnov distance below which it is an alarm.",
    )
    adwin_delta: float = Field(
        default=0.002, gt=0, lt=1, description="ADWIN's bound on the probability of a false alarm at each step."
    )
    factor_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of the factors a model reads whose stability index must be an alarm for it to be one of the "
        "model. A single factor that differs is shown and no alarm: slow ones wander within any window.",
    )
    policy: Literal["none", "reduce", "fallback"] = Field(
        default="none",
        description="What an alarm changes, beside telling of it: nothing (none), the size of positions (reduce), or "
        "who decides: the models below the first one, and nobody where there is none (fallback).",
    )
    reduce_to: float = Field(
        default=0.5, ge=0, le=1, description="With policy reduce: share of the size that is left while an alarm lasts."
    )


def population_stability_index(reference: NDArray[np.floating], recent: NDArray[np.floating], bins: int = 10) -> float:
    """Sum over bins of (share now - share then) ln(share now / share then), in bins equally full in the reference.

    Args:
        reference: shape (n,). recent: shape (m,). Both finite.
        bins: how many; equal edges, of a reference with few different values, are joined.

    Raises NotEnoughData when either is empty.
    """
    if not reference.size or not recent.size:
        raise NotEnoughData("The stability index needs values of then and of now.")
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    # Right-open bins with the edge in the upper one: a value that fills a whole reference gets a bin to itself.
    before = np.bincount(np.searchsorted(edges, reference, side="right"), minlength=len(edges) + 1) / reference.size
    after = np.bincount(np.searchsorted(edges, recent, side="right"), minlength=len(edges) + 1) / recent.size
    before, after = np.maximum(before, _LEAST_SHARE), np.maximum(after, _LEAST_SHARE)
    return float(np.sum((after - before) * np.log(after / before)))


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftView:
    """How far a stream is from its reference; NaN until the window is full. `reasons` is empty while all is well, and
    `kinds` says which of mean, psi and ks they are about.
    """

    psi: float
    ks: float
    ks_p_value: float
    reasons: tuple[str, ...]
    kinds: frozenset[str] = frozenset()


class DriftWatch:
    """Watches one stream of numbers.

    Without a reference the first full window of the stream becomes it.
    """

    def __init__(
        self, name: str, config: Config, reference: NDArray[np.floating] | None = None, *, has_adwin: bool = True
    ) -> None:
        """Watch a stream called `name`; `reference` has shape (n,). Without ADWIN for what wanders by nature."""
        self.name, self._config = name, config
        self._reference = None if reference is None else np.asarray(reference, dtype=np.float64)
        self._recent: deque[float] = deque(maxlen=config.window)
        self._adwin: Any = None
        self._has_changed = False
        if has_adwin:
            # Imported when the first decision has left: a restart must not wait for libraries that it can do without.
            from river.drift import ADWIN

            self._adwin = ADWIN(delta=config.adwin_delta)  # type: ignore[no-untyped-call]

    def update(self, value: float) -> bool:
        """Take in the next value; one that is not finite is passed over. Returns whether ADWIN found a change here."""
        if not np.isfinite(value):
            return False
        self._recent.append(float(value))
        if self._reference is None and len(self._recent) == self._config.window:
            self._reference = np.array(self._recent)
            self._recent.clear()
        if self._adwin is not None:
            self._adwin.update(value)
            self._has_changed = bool(self._adwin.drift_detected)
        return self._has_changed

    def view(self) -> DriftView:
        """Where the stream stands now."""
        reasons = {"mean": f"{self.name}: its mean has changed"} if self._has_changed else {}
        psi = distance = p_value = float("nan")
        if self._reference is not None and len(self._recent) == self._config.window:
            from scipy import stats

            recent = np.array(self._recent)
            psi = population_stability_index(self._reference, recent, self._config.bins)
            test = stats.ks_2samp(self._reference, recent, method="asymp")
            distance, p_value = float(test.statistic), float(test.pvalue)
            if psi >= self._config.psi_alarm:
                reasons["psi"] = f"{self.name}: stability index {psi:.2f}, alarm from {self._config.psi_alarm:g}"
            if p_value < self._config.ks_p_value:
                reasons["ks"] = f"{self.name}: Kolmogorov-Smirnov distance {distance:.2f} (p = {p_value:.1e})"
        return DriftView(
            psi=psi, ks=distance, ks_p_value=p_value, reasons=tuple(reasons.values()), kinds=frozenset(reasons)
        )

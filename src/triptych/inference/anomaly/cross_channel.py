"""What the channels say of one another: evidence that stands beside the network's error.

Rows are looked at in two ways. As they are: how far a channel is from what the other channels of the row foretell. And
as innovations on the scale of a normal law: whether the others still foretell a channel at all, and whether what is
left of it has a rhythm. Letters: B windows, T rows, C channels, K frequency bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from triptych.inference.anomaly.foretelling import Foretelling, cumulative, parts_of
from triptych.inference.anomaly.innovations import Innovations, calmed, lookback
from triptych.inference.anomaly.ranks import Ranks

Array = NDArray[np.float64]
KINDS: Final = ("surprise", "shift", "unrest", "rhythm", "decoupling", "parting")
"""All kinds of `CrossChannel.evidence`; the last two only where there are several channels."""
_CLIP_ROW, _CLIP_SHIFT, _CLIP_RHYTHM = 4.0, 6.0, 3.0  # deviations
_SLOWEST = 2  # bin: a slower wave than half of the rows is a trend


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownRows:
    """What is known of each row, (..., rows, C); the later ones need more rows before them."""

    surprise: Array
    left: Array
    apart: Array
    parting: Array

    def at(self, i: int) -> KnownRows:
        """That of one window of many."""
        return KnownRows(surprise=self.surprise[i], left=self.left[i], apart=self.apart[i], parting=self.parting[i])

    def moved(self, new: KnownRows) -> KnownRows:
        """That of windows one row later, of which `new` knows the last row."""
        names = ("surprise", "left", "apart", "parting")
        return KnownRows(
            **{n: np.concatenate([getattr(self, n)[..., 1:, :], getattr(new, n)[..., -1:, :]], axis=-2) for n in names}
        )

    @classmethod
    def stacked(cls, every: Sequence[KnownRows]) -> KnownRows:
        """That of many windows from that of each."""
        return cls(
            surprise=np.stack([one.surprise for one in every]), left=np.stack([one.left for one in every]),
            apart=np.stack([one.apart for one in every]), parting=np.stack([one.parting for one in every]),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CrossChannel:
    """Learnt from training rows.

    Attributes:
        length: rows of a window.
        near: rows foretold from the other channels as they are.
        ranks, innovations, new_ranks: from rows to innovations on a normal scale.
        beside: innovations foretold from those of all other channels.
        calm_ranks, parts: calmed innovations on a normal scale, foretold from those of other parts.
        spectrum: (K, C): mean power of what is left of a channel by bin, from bin 2 on.
    """

    length: int
    near: Foretelling
    ranks: Ranks
    innovations: Innovations
    new_ranks: Ranks
    beside: Foretelling
    calm_ranks: Ranks
    parts: Foretelling
    spectrum: Array

    @classmethod
    def learn(cls, stretches: Sequence[NDArray[np.float32]], length: int, columns: Sequence[str]) -> Self:
        """Learn from unbroken stretches, each (n, C)."""
        rows = lookback(length)
        long = [one.astype(np.float64) for one in stretches if len(one) > 4 * rows]
        every = np.concatenate(long)
        channels = range(every.shape[1])
        others = [[j for j in channels if j != i] for i in channels]
        of = parts_of(columns)
        elsewhere = [[j for j in channels if of[j] != of[i]] for i in channels]
        ranks = Ranks.of(every)
        scored = [ranks(one) for one in long]
        innovations = Innovations.learn(scored, rows)
        new = [innovations(one) for one in scored]
        new_ranks = Ranks.of(np.concatenate(new))
        new = [new_ranks(one) for one in new]
        calm = [calmed(one, rows) for one in new]
        calm_ranks = Ranks.of(np.concatenate(calm))
        near = Foretelling.learn(np.clip(every, -_CLIP_ROW, _CLIP_ROW), others)
        beside = Foretelling.learn(np.concatenate(new), others)
        parts = Foretelling.learn(np.concatenate([calm_ranks(one) for one in calm]), elsewhere)
        left = [beside.residual(one) / np.sqrt(beside.left) for one in new]
        span = _span(length)
        powers = [_power(_windows(one, span)) for one in left if len(one) >= span]
        spectrum = np.maximum(np.concatenate(powers).mean(axis=0), 1e-6)
        return cls(
            length=length, near=near, ranks=ranks, innovations=innovations, new_ranks=new_ranks, beside=beside,
            calm_ranks=calm_ranks, parts=parts, spectrum=spectrum,
        )  # fmt: skip

    def evidence(self, windows: NDArray[np.float32], focus: int) -> Array:
        """Evidence at the last row of windows (B, T, C), (B, C, kinds).

        - surprise: distance from what the other channels of the row foretell.
        - shift: mean of that over half of `focus`.
        - unrest: logarithm of its mean square over a quarter of `focus`.
        - rhythm: greatest power of one frequency in a quarter of the window, in multiples of the usual one.
        - decoupling: cumulative sum of the evidence that the other channels foretell nothing of the innovations.
        - parting: the same of calmed innovations and the channels of other parts only.
        """
        return self.evidence_of(self._by_window(windows), focus)

    def followed(
        self, windows: NDArray[np.float32], before: Sequence[KnownRows | None], focus: int
    ) -> tuple[Array, list[KnownRows]]:
        """`evidence` of the windows of streams to the last bit, and what is known of their rows.

        `before` is what this method said was known of each window one row earlier, so that only its last row is new;
        None where that is not at hand.
        """
        known: list[KnownRows | None] = [None] * len(windows)
        anew = [i for i, one in enumerate(before) if one is None]
        if anew:
            made = self._rows(windows[anew].astype(np.float64))
            for place, i in enumerate(anew):
                known[i] = made.at(place)
        on = [(i, one) for i, one in enumerate(before) if one is not None]
        if on:
            tail = 2 * self.innovations.rows + 1  # a calmed innovation looks back twice
            new = self._rows(windows[[i for i, _ in on], -tail:].astype(np.float64))
            moved = KnownRows.stacked([one for _, one in on]).moved(new)
            for place, (i, _) in enumerate(on):
                known[i] = moved.at(place)
        every = [one for one in known if one is not None]
        return self.evidence_of(KnownRows.stacked(every), focus), every

    def evidence_of(self, known: KnownRows, focus: int) -> Array:
        """`evidence` of windows (B, T, C) from what is known of their rows."""
        surprise = known.surprise
        shift = np.clip(surprise[:, -max(focus // 2, 2) :], -_CLIP_SHIFT, _CLIP_SHIFT).mean(axis=1)
        unrest = np.log((surprise[:, -max(focus // 4, 2) :] ** 2).mean(axis=1) + 1e-3)
        rhythm = (_power(known.left[:, -_span(self.length) :]) / self.spectrum).max(axis=1)
        kinds = [surprise[:, -1], shift, unrest, rhythm]
        if surprise.shape[2] > 1:
            kinds += [cumulative(known.apart), cumulative(known.parting)]
        return np.stack(kinds, axis=-1)

    def _by_window(self, windows: NDArray[np.float32]) -> KnownRows:
        """What is known of the rows of each window; of windows that slide over one stretch each row is done once."""
        if len(windows) < 2 or windows.strides[0] != windows.strides[1]:
            return self._rows(windows.astype(np.float64))
        stretch = np.concatenate([windows[0], windows[1:, -1]]).astype(np.float64)
        known = self._rows(stretch)
        n = len(windows)
        return KnownRows(
            surprise=_windows(known.surprise, self.length)[:n],
            left=_windows(known.left, self.length - len(stretch) + len(known.left)),
            apart=_windows(known.apart, self.length - len(stretch) + len(known.apart)),
            parting=_windows(known.parting, self.length - len(stretch) + len(known.parting)),
        )

    def _rows(self, x: Array) -> KnownRows:
        clipped = np.clip(x, -_CLIP_ROW, _CLIP_ROW)
        new = self.new_ranks(self.innovations(self.ranks(x)))
        calm = self.calm_ranks(calmed(new, self.innovations.rows))
        return KnownRows(
            surprise=self.near.residual(clipped) + (x - clipped),
            left=self.beside.residual(new) / np.sqrt(self.beside.left),
            apart=self.beside.apart(new),
            parting=self.parts.apart(calm),
        )

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """All that was learnt, by name."""
        found = {"spectrum": self.spectrum}
        for name in ("near", "beside", "parts"):
            one: Foretelling = getattr(self, name)
            found |= {f"{name}.{part}": getattr(one, part) for part in ("mean", "weights", "spread", "left")}
        for name in ("ranks", "new_ranks", "calm_ranks"):
            found |= {f"{name}.{part}": getattr(getattr(self, name), part) for part in ("knots", "scores")}
        return found | {f"innovations.{part}": getattr(self.innovations, part) for part in ("coefficients", "scale")}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.float64]], length: int) -> Self:
        """What `arrays` gave. Raises KeyError when one is missing."""

        def foretelling(name: str) -> Foretelling:
            return Foretelling(**{part: arrays[f"{name}.{part}"] for part in ("mean", "weights", "spread", "left")})

        def ranks(name: str) -> Ranks:
            return Ranks(knots=arrays[f"{name}.knots"], scores=arrays[f"{name}.scores"])

        innovations = Innovations(
            coefficients=arrays["innovations.coefficients"], scale=arrays["innovations.scale"], rows=lookback(length)
        )
        return cls(
            length=length, near=foretelling("near"), ranks=ranks("ranks"), innovations=innovations,
            new_ranks=ranks("new_ranks"), beside=foretelling("beside"), calm_ranks=ranks("calm_ranks"),
            parts=foretelling("parts"), spectrum=arrays["spectrum"],
        )  # fmt: skip


def _span(length: int) -> int:
    """Rows in which a rhythm is looked for."""
    return min(max(length // 4, 8), length - lookback(length))


def _windows(rows: Array, length: int) -> Array:
    """Windows of rows (n, C), as a view (n - length + 1, length, C)."""
    return sliding_window_view(rows, length, axis=0).transpose(0, 2, 1)


def _power(left: Array) -> Array:
    """Power around the mean by bin, (B, K, C)."""
    rows = np.clip(left, -_CLIP_RHYTHM, _CLIP_RHYTHM)
    spectrum = np.fft.rfft(rows - rows.mean(axis=1, keepdims=True), axis=1)[:, _SLOWEST:]
    return np.asarray(spectrum.real**2 + spectrum.imag**2)

"""Several models that answer as one: every member is asked, and a combiner joins what they say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES, CandleSeries, Prediction, Vote
from triptych.domain.errors import ArtifactError
from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView
from triptych.inference.combiner import BOTH, Combiner
from triptych.inference.regime import regime_features, regime_over


class ConsensusPredictor(AbstractPredictor):
    """Asks any list of predictors, of images, factors or sequences, and joins their answers.

    There is an answer only where every member has one: a consensus of those who happen to be there would be another
    model every day.
    """

    def __init__(self, members: Mapping[str, AbstractPredictor], combiner: Combiner, *, name: str = "") -> None:
        """Join members, by their names, in the combiner's order.

        Raises ArtifactError when the combiner was made for others.
        """
        if tuple(members) != combiner.members:
            raise ArtifactError(
                f"The combiner was made for {', '.join(combiner.members)}, and the members are {', '.join(members)}.",
                remedy="Name the same members in the same order.",
            )
        self.name = name
        self.length = max(combiner.regime_length + 1, *(member.length for member in members.values()))
        self.companions = tuple(dict.fromkeys(s for member in members.values() for s in member.companions))
        self._members = dict(members)
        self._combiner = combiner

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Members read windows of their own. Raises ArtifactError, always."""
        raise ArtifactError(
            "A consensus has no window of its own: its members read different ones.",
            remedy="Ask it about candles, by `over`, `predict_now` or `predict_all`.",
        )

    def votes_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Votes of shape (n, n_members, 3) and regimes of shape (n, 2); NaN where they are not known."""
        said = [member.over(series, ends, companions) for member in self._members.values()]
        votes = np.stack(said, axis=1).astype(np.float64)
        return votes, regime_over(series, ends, self._combiner.regime_length)

    def over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> NDArray[np.float32]:
        predictions = self.predictions_over(series, ends, companions)
        rows = [(p.probability_sell, p.probability_hold, p.probability_buy) for p in predictions]
        return np.array(rows, dtype=np.float32).reshape(len(ends), len(CLASSES))

    def predictions_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> list[Prediction]:
        votes, regime = self.votes_over(series, ends, companions)
        return self.joined(series.symbol, series.close_time_ms[ends], votes, regime)

    def joined(
        self, symbol: str, times_ms: NDArray[np.int64], votes: NDArray[np.float64], regime: NDArray[np.float64]
    ) -> list[Prediction]:
        """Predictions from votes of shape (n, n_members, 3) and regimes of shape (n, 2).

        Not usable where one of them is NaN.
        """
        known = np.isfinite(votes).all(axis=(1, 2)) & np.isfinite(regime).all(axis=1)
        probabilities = np.full((len(votes), len(CLASSES)), np.nan)
        allowed = np.zeros(len(votes), dtype=np.int64)
        if known.any():
            probabilities[known], allowed[known] = self._combiner.combine(votes[known], regime[known])
        names = tuple(self._members)
        return [
            Prediction(
                symbol=symbol,
                time_ms=time_ms,
                model=self.name,
                probability_sell=row[0],
                probability_hold=row[1],
                probability_buy=row[2],
                votes=tuple(Vote(model=n, probability_sell=s, probability_hold=h, probability_buy=b)
                            for n, (s, h, b) in zip(names, said, strict=True)),
                allowed=None if may == BOTH else may,
            )
            for time_ms, row, said, may in zip(
                times_ms.tolist(), probabilities.tolist(), votes.tolist(), allowed.tolist(), strict=True
            )
        ]  # fmt: skip

    def predict_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Prediction | None]:
        said = [member.predict_all(view, closes) for member in self._members.values()]
        found: dict[str, Prediction | None] = {}
        for symbol, time_ms in closes.items():
            answers = [one[symbol] for one in said]
            history = view.history(symbol, self._combiner.regime_length + 1)
            there = [answer for answer in answers if answer is not None]
            if history is None or len(there) < len(answers):
                found[symbol] = None
                continue
            votes = np.array([[(p.probability_sell, p.probability_hold, p.probability_buy) for p in there]])
            regime = regime_features(history.values[None])
            (found[symbol],) = self.joined(symbol, np.array([time_ms]), votes, regime)
        return found

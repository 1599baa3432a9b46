"""Several models that answer as one: every member is asked, and a combiner joins what they say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES, CandleSeries, Prediction, Vote
from triptych.domain.errors import ArtifactError
from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView
from triptych.inference.closed_market import beside_now, closed_beside, past_matters
from triptych.inference.combiner import BOTH, Combiner
from triptych.inference.recent_skill import Outcomes, RecentSkill, outcomes_of
from triptych.inference.regime import regime_features, regime_over


class ConsensusPredictor(AbstractPredictor):
    """Asks any list of predictors, of images, factors or sequences, and joins their answers.

    There is an answer only where every member has one: a consensus of those who happen to be there would be another
    model every day. With weights by recent skill, an instrument and the companions must also have the candles of the
    whole window of outcomes: what came of a shorter one would be other weights.
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
        self._needs = self.length
        if combiner.recent is not None:
            self.length += combiner.recent.reach
        self.look_back = max(0, *(member.kept - self.length for member in members.values()))
        if combiner.recent is not None:  # of the oldest outcome too
            self.look_back = max(member.look_back for member in members.values())
            self.look_back += closed_beside(combiner.recent.reach) if self.companions else 0
        self._answered: dict[str, dict[int, NDArray[np.float64]]] = {}
        self._settled: dict[str, dict[int, int]] = {}

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
        weights = self.weights_over(series, ends, companions)
        return self.joined(series.symbol, series.close_time_ms[ends], votes, regime, weights)

    def weights_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> NDArray[np.float64] | None:
        """Weights by recent skill at the closes of candles `ends`, shape (n, n_members); None where they are fixed."""
        skill = self._combiner.recent
        if skill is None:
            return None
        outcomes = self.outcomes_over(series, ends, companions)
        return outcomes.weights(series.close_time_ms[ends], skill, np.array(self._combiner.weights))

    def outcomes_over(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries] = NOBODY
    ) -> Outcomes:
        """The outcomes that count at any of the closes of candles `ends`, of a combiner with weights that move."""
        skill = self._skill()
        if not len(ends):
            return outcomes_of(skill, series, ends, np.zeros((0, len(self._members), len(CLASSES))))
        own = self._own_ends(series, int(ends.min()), int(ends.max()))
        return self._outcomes(series, series.close_time_ms[own], self._said(series, own, companions))

    def _skill(self) -> RecentSkill:
        if self._combiner.recent is None:
            raise ArtifactError(f"{self.name} does not weigh its members by recent skill.", remedy="Ask another one.")
        return self._combiner.recent

    def _own_ends(self, series: CandleSeries, first: int, last: int) -> NDArray[np.int64]:
        """Candles that are due and that the members themselves are asked of, for decisions at `first` to `last`."""
        skill, closes = self._skill(), series.close_time_ms
        found = np.flatnonzero(skill.due(closes) & (closes > skill.heard_until_ms))
        return found[(found > first - skill.window) & (found <= last) & (found >= self._needs - 1)]

    def _said(
        self, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries]
    ) -> NDArray[np.float64]:
        """Votes at candles `ends`, NaN where members or regime are not known: there would have been no answer."""
        votes, regime = self.votes_over(series, ends, companions)
        votes[~np.isfinite(regime).all(axis=1)] = np.nan
        return votes

    def _outcomes(
        self,
        series: CandleSeries,
        times_ms: NDArray[np.int64],
        votes: NDArray[np.float64],
        kept: dict[int, int] | None = None,
    ) -> Outcomes:
        """What came of what was heard before the members' time, and of what they said since."""
        skill = self._skill()
        heard = skill.heard.get(series.symbol)
        if heard is not None and heard.time_ms:
            before = np.array(heard.votes).reshape(len(heard.time_ms), len(self._members), len(CLASSES))
            times_ms = np.concatenate([np.array(heard.time_ms, dtype=np.int64), times_ms])
            votes = np.concatenate([before, votes])
        return outcomes_of(skill, series, times_ms, votes, kept)

    def _weights_now(self, view: AbstractView, symbol: str) -> NDArray[np.float64] | None:
        """Weights by recent skill at the newest close, shape (1, n_members).

        What the members have answered once is kept, and what came of it: from close to close only the newest outcome
        is asked for, after a restart all of them, from the same candles and with the same answers.
        """
        skill = self._skill()
        series = view.history(symbol, self.length)
        if series is None:
            return None
        there = beside_now(view, series, self.companions, self.length, self.look_back)
        if there is None:
            return None
        now_ms, kept = int(series.close_time_ms[-1]), self._answered.get(symbol, {})
        own = self._own_ends(series, len(series) - 1, len(series) - 1)
        missing = np.array([end for end in own if int(series.close_time_ms[end]) not in kept], dtype=np.int64)
        fresh = dict(kept)
        if missing.size:
            look_back = self.look_back if past_matters(view, series, self.look_back) else 0
            known = (view.latest(symbol, self.kept) if look_back else None) or series
            due = missing + len(known) - len(series)
            first = max(0, int(due[0]) - self._needs + 1 - look_back)  # nights are told by what was before
            said = self._said(known.between(first, len(known)), due - first, there)
            fresh |= dict(zip(series.close_time_ms[missing].tolist(), said, strict=True))
        times = series.close_time_ms[own]
        self._answered[symbol] = {at: fresh[at] for at in times.tolist()}
        votes = np.array([fresh[at] for at in times.tolist()]).reshape(len(times), len(self._members), len(CLASSES))
        begin_ms, settled = int(series.close_time_ms[0]), self._settled.get(symbol, {})
        self._settled[symbol] = settled = {at: one for at, one in settled.items() if at >= begin_ms}
        outcomes = self._outcomes(series, times, votes, settled)
        return outcomes.weights(np.array([now_ms]), skill, np.array(self._combiner.weights))

    def joined(
        self,
        symbol: str,
        times_ms: NDArray[np.int64],
        votes: NDArray[np.float64],
        regime: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
    ) -> list[Prediction]:
        """Predictions from votes of shape (n, n_members, 3), regimes of shape (n, 2), weights of shape (n, n_members).

        Not usable where votes or regimes are NaN.
        """
        known = np.isfinite(votes).all(axis=(1, 2)) & np.isfinite(regime).all(axis=1)
        probabilities = np.full((len(votes), len(CLASSES)), np.nan)
        allowed = np.zeros(len(votes), dtype=np.int64)
        if known.any():
            moving = None if weights is None else weights[known]
            probabilities[known], allowed[known] = self._combiner.combine(votes[known], regime[known], moving)
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
            weights = None
            if self._combiner.recent is not None:
                weights = self._weights_now(view, symbol)
                if weights is None:
                    found[symbol] = None
                    continue
            (found[symbol],) = self.joined(symbol, np.array([time_ms]), votes, regime, weights)
        return found

"""The verdict in words: is there an edge, or could it be luck?

An edge is claimed only when every check passes; the thresholds are constants, not settings, so that nobody tunes the
verdict to the result. Under the null (trading at random, with or without a long bias in a rising market) the check of
the timing return alone lets at most 2.5 % of results through; the others can only lower that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from triptych.backtest.luck import Interval, Luck
from triptych.backtest.statistics import Performance

MINIMUM_TRADES = 20
"""Round trips that do not overlap in time. Below, one lucky trade decides the sign of the result."""
MINIMUM_OBSERVATIONS = 100.0
"""Effective number of independent returns. Below, skewed returns make every interval here too narrow."""
MINIMUM_PROBABILITY = 0.95
"""Of the deflated Sharpe ratios of the return and of the timing return."""

Outcome = Literal["edge", "no_edge", "too_few"]
SENTENCES: dict[Outcome, str] = {
    "edge": "Evidence of an edge.",
    "no_edge": "No evidence of an edge.",
    "too_few": "Too few trades to say.",
}
HELD_BACK = "Nothing was traded: every order was held back."
"""In place of the sentence of `too_few` where the strategy wanted to trade and limits, sizing or the venue let nothing
through: a setting to mend, not a finding about the model."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One condition of the verdict and what was found, in a plain sentence."""

    name: str
    passed: bool
    finding: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What may be said about a backtest.

    Attributes:
        claims_edge: whether all checks passed.
        outcome: `edge`, `no_edge` or `too_few`.
        sentence: the verdict in one short sentence.
        reasons: why, in plain sentences: the failed checks, or all of them when an edge is claimed.
        caveats: what an edge in a backtest does not show; empty unless one is claimed.
        checks: every condition with its finding.
    """

    claims_edge: bool
    outcome: Outcome
    sentence: str
    reasons: tuple[str, ...]
    caveats: tuple[str, ...]
    checks: tuple[Check, ...]

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dictionaries and lists, ready for JSON."""
        plain = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def judge(
    performance: Performance, luck: Luck, *, skill: Interval | None = None, silence: str = "", held_back: str = ""
) -> Verdict:
    """Judge a backtest.

    Args:
        performance: its figures.
        luck: what luck could have done, with the declared number of trials.
        skill: Matthews correlation of the classifier out of sample with its interval; None for a strategy without one.
        silence: why there may be no trade at all, a sentence; told when there is none.
        held_back: what kept every order that was wanted from being filled, a sentence; it then is the verdict.

    Returns:
        The verdict. Too few trades or observations outweigh everything else: then nothing can be said either way.
    """
    sample = (_trades(performance, held_back or silence), _observations(luck))
    rest = [_profit(performance), _luck(luck), _timing(performance, luck)]
    if skill is not None:
        rest.append(_skill(skill))
    checks = (*sample, *rest)
    failed = tuple(check.finding for check in checks if not check.passed)
    outcome: Outcome = "edge" if not failed else "no_edge"
    if not all(check.passed for check in sample):
        outcome = "too_few"
    claims = outcome == "edge"
    return Verdict(
        claims_edge=claims,
        outcome=outcome,
        sentence=HELD_BACK if held_back and not performance.trades.count else SENTENCES[outcome],
        reasons=tuple(check.finding for check in checks) if claims else failed,
        caveats=_caveats(performance, luck, skill) if claims else (),
        checks=checks,
    )


def _trades(performance: Performance, silence: str) -> Check:
    trades = performance.trades
    if trades.count == 0:
        finding = f"It made no trade. {silence}".rstrip()
    elif trades.independent_count < trades.count:
        finding = f"It made {trades.count} round trips, of which {trades.independent_count} do not overlap in time"
        finding += "." if trades.independent_count >= MINIMUM_TRADES else f"; {MINIMUM_TRADES} are needed."
    else:
        finding = f"It made {trades.count} round trip{'s' if trades.count > 1 else ''}"
        finding += "." if trades.count >= MINIMUM_TRADES else f"; {MINIMUM_TRADES} are needed."
    return Check(name="Enough trades", passed=trades.independent_count >= MINIMUM_TRADES, finding=finding)


def _observations(luck: Luck) -> Check:
    passed = luck.effective_observations >= MINIMUM_OBSERVATIONS
    finding = f"Its {luck.candles} returns are worth {luck.effective_observations:.0f} independent ones"
    finding += "." if passed else f"; {MINIMUM_OBSERVATIONS:.0f} are needed."
    return Check(name="Enough observations", passed=passed, finding=finding)


def _profit(performance: Performance) -> Check:
    total, costs = performance.strategy.total_return, performance.costs.total_share
    if performance.strategy.ruined:
        finding = f"It lost the whole account: the return is {percent(total)}."
    elif total > 0:
        finding = f"After costs of {percent(costs)} of the capital it earned {percent(total)}."
    elif total < 0:
        before = performance.costs.return_before_costs
        finding = f"After costs it lost {percent(-total)}"
        finding += f"; before costs it earned {percent(before)}." if before > 0 else "."
    else:
        finding = "It neither earned nor lost anything."
    return Check(name="Profit after costs", passed=total > 0, finding=finding)


def _luck(luck: Luck) -> Check:
    of = "one strategy" if luck.trials == 1 else f"the best of {luck.trials} strategies"
    finding = f"Luck alone would let {of} do this well with probability {_probability(luck.probability_of_luck)}."
    return Check(
        name="Not a run of luck", passed=luck.probability_of_luck <= 1.0 - MINIMUM_PROBABILITY, finding=finding
    )


def _timing(performance: Performance, luck: Luck) -> Check:
    name, timing = "Timing that pays", luck.timing_return
    if timing is None:
        return Check(name=name, passed=False, finding="Its equity never moved, so there is no timing to measure.")
    # a few weeks are not blown up to a year
    scale, unit = (1.0, "a year") if performance.years >= 1 else (performance.years, "in this time")
    value, low, high = (percent(bound * scale) for bound in (timing.value, timing.low, timing.high))
    found = f"{value} {unit} (95 % interval {low} to {high})"
    if timing.low > 0:
        return Check(name=name, passed=True, finding=f"Its timing earned {found}.")
    if timing.high < 0:
        return Check(name=name, passed=False, finding=f"Its timing lost money: {found}.")
    return Check(name=name, passed=False, finding=f"Its timing cannot be told from zero: {found}.")


def _skill(skill: Interval) -> Check:
    found = (
        f"its correlation with what came (MCC) is {skill.value:.3f}, 95 % interval {skill.low:.3f} to {skill.high:.3f}"
    )
    passed = skill.low > 0
    sentence = (
        "The model's predictions are better than chance"
        if passed
        else "The model's predictions are no better than chance"
    )
    return Check(name="Predictions beat chance", passed=passed, finding=f"{sentence}: {found}.")


def _caveats(performance: Performance, luck: Luck, skill: Interval | None) -> tuple[str, ...]:
    caveats = [
        f"It holds for {luck.trials} trial{'s' if luck.trials > 1 else ''}, as declared; every variant that was "
        "compared on this period and not counted weakens it.",
        "It holds for the costs and fills that were assumed, and for a market that goes on as it was.",
    ]
    if performance.years < 1:
        caveats.append(f"It rests on {performance.years * 365.25:.0f} days of one market phase.")
    own, market = performance.strategy.total_return, performance.benchmark.total_return
    if own < market:
        caveats.append(f"Buy-and-hold earned more in the same time: {percent(market)} against {percent(own)}.")
    if skill is None:
        caveats.append("The skill of its predictions was not tested apart from its trades.")
    return tuple(caveats)


def percent(fraction: float) -> str:
    """A fraction in per cent with sensible digits: `3.2 %`, `0.04 %`, `1,250 %`."""
    value = fraction * 100.0
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 2
    text = f"{value:,.{digits}f}"
    if not text.strip("-0."):
        text = text.lstrip("-")  # no minus zero
    return f"{text} %".replace("-", "−")


def _probability(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"

"""The limits on losses know the equity of every close, also of those at which nothing was decided."""

import asyncio

import pytest
from tests.fakes.market import HOUR_MS
from tests.live.house import paper
from tests.live.test_missed import BEGIN, SERIES, TapeSource, Up, killed, session, silent_at

from triptych.live.journal import StepRecorded
from triptych.trading import execution, risk
from triptych.trading.guard import Config as GuardConfig

WIDE = risk.Config(max_daily_loss=0.5, max_drawdown=0.5)
HELD = execution.Config(minimum_trade=0.5)
"""What was bought once is held as it is, so that the same is held with and without missed closes."""
CASES = {
    "a midnight is missed": (WIDE, HELD),
    "a stop was filled meanwhile": (
        WIDE, execution.Config(minimum_trade=0.5, stop_loss=2.0, protection_unit="percent", after_exit="new_signal"),
    ),
    "the drawdown was reached meanwhile": (risk.Config(max_drawdown=0.05, cool_down_hours=12), HELD),
    "the daily loss was reached meanwhile": (risk.Config(max_daily_loss=0.05), HELD),
}  # fmt: skip


def options(limits, executed):
    return {"predictor": Up(), "engine": {"guard": GuardConfig(), "watch": None, "risk": limits, "execution": executed}}


def risks(one):
    return {step.close_ms // HOUR_MS: step.state.risk for step in one.records(StepRecorded) if step.cause == "candles"}


def through(path, settings, silent=()):
    """The whole tape in one process; the venue is `silent` at some hours."""
    path.mkdir()
    tape = TapeSource(SERIES, start_ms=BEGIN * HOUR_MS)
    _, venue = paper(SERIES, tape.clock)
    silent_at(venue, tape.clock, silent)
    with session(path, tape, venue, **settings) as one:
        asyncio.run(one.play())
        return risks(one), one.told()[1]


@pytest.mark.parametrize("case", CASES)
def test_after_missed_closes_the_limits_know_what_they_would_have_known(tmp_path, case):
    settings = options(*CASES[case])
    known, decided = through(tmp_path / "whole", settings)
    seen = {}
    killed(tmp_path, 43, 50, look=lambda one: seen.update(risks(one)), **settings)
    silent, _ = through(tmp_path / "silent", settings, silent=range(44, 51))
    halts = "reached meanwhile" in case
    for found in (seen, silent):
        assert set(known) - set(found) == set(range(44, 51))
        mine, theirs = found[51], known[51]
        assert (mine.day, mine.seen_ms, mine.day_halted, mine.drawdown_halt_ms) == (
            theirs.day, theirs.seen_ms, theirs.day_halted and not halts, theirs.drawdown_halt_ms
        )  # fmt: skip
        assert mine.peak_equity == pytest.approx(theirs.peak_equity, rel=1e-12)
        if not halts:  # had somebody been there, it would have been closed earlier
            assert mine.day_start_equity == pytest.approx(theirs.day_start_equity, rel=1e-12)
            assert mine.last_equity == pytest.approx(theirs.last_equity, rel=1e-12)
    assert known[51].day_start_equity < known[43].last_equity * 0.99
    assert any("drawdown limit" in reason for *_, reason in decided[51]) == ("drawdown" in case)

import json
from pathlib import Path

import pytest
from tests.dashboard.records import MINUTE, START, SYMBOL, Scribe, answered, filled, note, order, prediction, step, vote

from triptych.dashboard.desk import Desk
from triptych.dashboard.library import Library
from triptych.dashboard.pictures import Pictures
from triptych.dashboard.room import Room


@pytest.fixture
def scribe():
    """A session that bought under doubt, and whose second decision was made by two members of a consensus."""
    scribe = Scribe()
    scribe.write(step(order()))
    scribe.write(answered("unknown", text="timed out"), after_ms=5_000)
    scribe.write(filled(), after_ms=2_000)
    votes = (vote("image", 0.1, 0.2, 0.7), vote("sequence", 0.5, 0.3, 0.2))
    scribe.write(
        step(close_ms=START + MINUTE, cash="9800", quantity="2", mark=110.0, said=prediction(votes=votes)),
        after_ms=MINUTE,
    )  # fmt: skip
    scribe.write(note("reconciliation", "the venue holds 3, our fills make 2"))
    scribe.write(note("fallback", "eye is off duty"))
    return scribe


@pytest.fixture
def runs(tmp_path):
    """A folder with a judged run, one that is being trained, a damaged one and a search."""
    import polars as pl

    home = tmp_path / "runs"
    judged = {
        "verdict": {"sentence": "No evidence of an edge.", "outcome": "no_edge"}, "trials": 3,
        "performance": {
            "strategy": {"total_return": -0.05, "sharpe": -1.0, "drawdown": {"depth": 0.1}},
            "benchmark": {"total_return": 0.02}, "trades": {"count": 42},
        },
        "luck": {"deflated_sharpe": 0.01},
    }  # fmt: skip
    write(home / "old" / "run.json", {"status": "trained", "environment": {"started": "2026-01-01T10:00:00+00:00"}})
    write(home / "old" / "backtest" / "backtest.json", judged)
    pl.DataFrame({"equity": [100.0, 110.0, 95.0]}).write_parquet(home / "old" / "backtest" / "equity.parquet")
    (home / "old" / "report.html").write_text("<h1>report</h1>")
    write(home / "new" / "run.json", {"status": "training", "environment": {"started": "2026-02-01T10:00:00+00:00"}})
    (home / "broken").mkdir()
    (home / "broken" / "run.json").write_text("{")
    leader = {"trial": 4, "outcome": "judged", "mcc": 0.1, "trades": 9, "total_return": 0.01,
              "measured": {"p50_ms": 0.2, "parameters": 1_000}}  # fmt: skip
    write(
        home / "search" / "tuning.json",
        {"leaderboard": [leader], "skill": "mcc", "chosen": 4, "counts": {"judged": 1},
         "overfitting": {"probability": 0.4}, "winner": {"verdict": {"sentence": "x", "outcome": "too_few"}}},
    )  # fmt: skip
    (tmp_path / "secret.html").write_text("not yours")
    return home


def write(path: Path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def room(scribe, runs):
    """A room over a journal that has been read, and those runs."""
    candles = [(START - MINUTE * n, 100.0, 102.0, 99.0, 101.0, 5.0) for n in range(20, -2, -1)]
    desk = Desk(candles={SYMBOL: candles}, place="live.db")
    scribe.tell(desk.story)
    desk._journal = Named()
    return Room(desk=desk, pictures=Pictures([]), library=Library(runs))


class Named:
    """Stands where a journal stands: it has a name, and nothing new."""

    name = "house"

    def rows(self, **_):
        return []

    def newest(self):
        return 6

    def close(self):
        pass

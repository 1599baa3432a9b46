from datetime import UTC, datetime

import polars as pl

from triptych.backtest.report.guard_log import guard_table
from triptych.backtest.result import GUARD_SCHEMA


def test_acts_and_hours_are_counted_and_the_reasons_stand_in_the_log():
    def act(hour, symbol, action):
        time = datetime(2024, 1, 1, hour, tzinfo=UTC)
        return {
            "time": time,
            "symbol": symbol,
            "action": action,
            "score": 2.0,
            "threshold": 1.0,
            "reason": f"{hour}",
        }

    acts = pl.DataFrame(
        [act(1, "A", "block"), act(2, "A", "flatten"), act(4, "A", "release"), act(5, "B", "block")],
        schema=GUARD_SCHEMA,
    )  # fmt: skip
    table = guard_table(acts, int(datetime(2024, 1, 1, 7, tzinfo=UTC).timestamp() * 1000))
    assert table.caption == "The guard acted 3 times and guarded for 5.0 instrument hours in all."
    assert [cell.text for cell in table.rows[0]] == ["2024-01-01 01:00 A", "block", "1"]

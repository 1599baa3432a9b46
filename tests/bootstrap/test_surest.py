from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap.explaining_surest import explain_surest, why_chosen
from triptych.bootstrap.surest import Apart, judged_decisions, surest, surest_of_all
from triptych.domain.errors import DataError, RunError

HOUR = 3_600_000
ROWS = (
    # hour, symbol, sell, hold, buy
    (0, "A", 0.50, 0.30, 0.20),
    (1, "A", 0.60, 0.30, 0.10),
    (2, "A", 0.55, 0.30, 0.15),
    (9, "A", 0.45, 0.35, 0.20),
    (1, "B", 0.58, 0.22, 0.20),
    (5, "B", 0.20, 0.70, 0.10),
    (6, "B", 0.10, 0.80, 0.10),
    (8, "B", 0.30, 0.40, 0.30),
)


@pytest.fixture
def made(tmp_path):
    frame = pl.DataFrame(
        {
            "time": pl.Series([hour * HOUR for hour, *_ in ROWS]).cast(pl.Datetime("ms", "UTC")),
            "symbol": [symbol for _, symbol, *_ in ROWS],
            "fold": [0] * len(ROWS),
            **{f"probability_{side}": [row[2 + i] for row in ROWS] for i, side in enumerate(("sell", "hold", "buy"))},
        }
    )
    frame.write_parquet(tmp_path / "predictions.parquet")
    return SimpleNamespace(folder=tmp_path)


def apart(candles, hours=range(10)):
    closes = np.array(hours, dtype=np.int64) * HOUR
    return Apart(candles=candles, closes={"A": closes, "B": closes})


def told(found):
    return [(one.symbol, one.time_ms // HOUR, one.side) for one in found]


def test_the_surest_of_a_class_come_first_and_share_no_candle(made):
    frame = judged_decisions(made)
    assert told(surest(frame, "sell", count=3)) == [("A", 1, "sell"), ("B", 1, "sell"), ("A", 2, "sell")]
    far = surest(frame, "sell", count=3, apart=apart(3))
    assert told(far) == [("A", 1, "sell"), ("B", 1, "sell"), ("A", 9, "sell")]
    assert [one.probability for one in far] == [0.60, 0.58, 0.45]


def test_candles_apart_are_counted_not_the_hours_of_a_night(made):
    """Hours 3 to 8 are a night: the candle of hour 9 is the third after that of hour 0, and the second after hour 1."""
    frame = judged_decisions(made)
    day = (0, 1, 2, 9)
    assert told(surest(frame, "sell", count=2, apart=apart(2, day))) == [("A", 1, "sell"), ("B", 1, "sell")]
    only = frame.filter(pl.col("symbol") == "A")
    assert told(surest(only, "sell", count=2, apart=apart(2, day))) == [("A", 1, "sell"), ("A", 9, "sell")]
    assert told(surest(only, "sell", count=2, apart=apart(3, day))) == [("A", 1, "sell")]


def test_a_class_that_was_never_the_likeliest_is_shown_and_said_to_be_none(made):
    frame = judged_decisions(made)
    (one,) = surest(frame, "buy")
    assert (one.symbol, one.time_ms // HOUR, one.probability, one.is_likeliest) == ("B", 8, 0.30, False)
    assert why_chosen(frame, one) == (
        "The surest buy of 8 decisions of the test: 30.0%, on average 16.9%. It was not the likeliest class even here, "
        "nor anywhere in the test."
    )
    (sell,) = surest(frame, "sell")
    assert why_chosen(frame, sell) == "The surest sell of 8 decisions of the test: 60.0%, on average 41.0%."


def test_the_surest_of_all_are_taken_by_turns_from_every_class_that_won(made):
    frame = judged_decisions(made)
    assert told(surest_of_all(frame, 3, None)) == [("A", 1, "sell"), ("B", 6, "hold"), ("B", 1, "sell")]
    every = surest_of_all(frame, 99, apart(2))
    assert told(every) == [
        ("A", 1, "sell"), ("B", 6, "hold"), ("B", 1, "sell"), ("B", 8, "hold"), ("A", 9, "sell"),
    ]  # fmt: skip


def test_decisions_of_one_instrument_are_asked_for_by_its_name(made):
    assert set(judged_decisions(made, "B")["symbol"]) == {"B"}
    with pytest.raises(DataError) as caught:
        judged_decisions(made, "C")
    assert str(caught.value) == "The run does not trade C. It trades A, B."


def test_a_run_that_decided_nothing_says_so(made):
    path = made.folder / "predictions.parquet"
    pl.read_parquet(path).head(0).write_parquet(path)
    with pytest.raises(RunError) as caught:
        judged_decisions(made)
    assert str(caught.value) == f"{made.folder} holds no decision of its test part. Train again with --fresh."


def test_one_decision_a_class_is_explained_for_that_class(trained):
    run = bootstrap.open_run(trained)
    found = explain_surest(run, method="occlusion")
    assert [one.explanation.target for one in found] == ["sell", "hold", "buy"]
    frame = pl.read_parquet(run.folder / "predictions.parquet")
    for one, side in zip(found, ("sell", "hold", "buy"), strict=True):
        row = frame.sort(f"probability_{side}").row(-1, named=True)
        assert one.explanation.probabilities.tolist()[("sell", "hold", "buy").index(side)] == pytest.approx(
            row[f"probability_{side}"], abs=1e-4
        )
        assert not one.learned_from_it
    (only,) = explain_surest(run, method="occlusion", target="buy")
    assert only.to_dict() == found[2].to_dict()


def test_only_untrained_runs_are_refused(tmp_path):
    recipe = micro_recipe(tmp_path)
    candles = bootstrap.load_candles(recipe)
    from triptych.bootstrap.run_folder import open_or_create

    run = open_or_create(recipe, candles.hash, tmp_path / "run")
    with pytest.raises(RunError) as caught:
        explain_surest(run)
    assert str(caught.value) == (
        f"The run {run.folder} is not trained to its end. Repeat the same `triptych train` command: it resumes where "
        "it was stopped."
    )

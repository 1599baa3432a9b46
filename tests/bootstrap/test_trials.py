import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.bootstrap.provenance import History, history_mark, history_of
from triptych.bootstrap.trials import ledger_folder, record_trial
from triptych.domain.errors import RunError

CANDLES, OTHERS = History(mark="candles"), History(mark="other candles")


def of(mark, **periods):
    return History(mark=mark, periods=periods)


def test_every_recipe_on_the_same_candles_counts_once_and_the_first_knows_of_the_later_ones(tmp_path):
    numbers = [record_trial(tmp_path / mark, CANDLES, mark) for mark in ("a", "b", "a", "c", "b", "a")]
    assert numbers == [1, 2, 2, 3, 3, 3]
    assert json.loads((tmp_path / "trials.json").read_text()) == {"candles": ["a", "b", "c"]}


def test_other_candles_and_other_folders_have_their_own_count(tmp_path):
    assert record_trial(tmp_path / "a", CANDLES, "a") == 1
    assert record_trial(tmp_path / "b", OTHERS, "b") == 1
    assert record_trial(tmp_path / "elsewhere" / "b", CANDLES, "b") == 1


@pytest.mark.parametrize(
    ("inside", "marker"),
    [
        ("ablation/0-base", "ablation/ablation.toml"),
        ("ablation/0-base", "ablation/ablation.json"),
        ("ablation/0-base/members/h1", "ablation/0-base/run.json"),
        ("search/candidates/0123", "search/study.json"),
        ("network/trading", "network/begun.json"),
        ("network/trading", "network/books.json"),
    ],
)
def test_what_lies_inside_of_something_is_counted_with_what_lies_beside_it(tmp_path, inside, marker):
    for one in (marker, "ablation/ablation.toml"):
        (tmp_path / one).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / one).write_text("{}")
    assert ledger_folder(tmp_path / inside) == tmp_path
    assert record_trial(tmp_path / inside, CANDLES, "a") == 1
    assert record_trial(tmp_path / "winner", CANDLES, "b") == 2
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("trials.json")] == ["trials.json"]


def test_a_folder_of_runs_in_a_folder_of_runs_has_a_ledger_of_its_own(tmp_path):
    (tmp_path / "members" / "one").mkdir(parents=True)
    assert ledger_folder(tmp_path / "members" / "one") == tmp_path / "members"


def test_the_ledger_of_an_ablation_by_an_earlier_version_is_heard_and_taken_in_once(tmp_path):
    ablation = tmp_path / "ablation"
    ablation.mkdir()
    (ablation / "trials.json").write_text('{"candles": ["a", "b", "c"]}')
    assert record_trial(tmp_path / "winner", CANDLES, "d") == 1  # a folder of runs, for all one can tell
    (ablation / "ablation.json").write_text("{}")
    assert record_trial(tmp_path / "winner", CANDLES, "d") == 4
    assert record_trial(ablation / "0-a", CANDLES, "a") == 4
    assert sorted(json.loads((tmp_path / "trials.json").read_text())["candles"]) == ["a", "b", "c", "d"]


def test_the_ledger_of_a_seed_counts_on_when_its_folder_becomes_an_ablation_over_seeds(tmp_path):
    seed = tmp_path / "over seeds" / "seed-1"
    for folder in (seed, seed.parent):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ablation.toml").write_text("")
    (seed / "trials.json").write_text('{"candles": ["a", "b"]}')
    (seed.parent / "trials.json").write_text('{"candles": ["b", "c"]}')
    assert ledger_folder(seed / "0-base") == tmp_path
    assert record_trial(seed / "0-base", CANDLES, "d") == 4
    assert record_trial(tmp_path / "winner", CANDLES, "e") == 5


def test_histories_that_hold_an_instrument_at_the_same_time_are_one_market(tmp_path):
    assert record_trial(tmp_path / "a", of("2022", BTC=(100, 200)), "a") == 1
    assert record_trial(tmp_path / "b", of("2022 and 2023", BTC=(50, 300), ETH=(50, 300)), "b") == 2
    assert record_trial(tmp_path / "c", of("2023", BTC=(201, 300)), "c") == 2  # b, not a
    assert record_trial(tmp_path / "d", of("another", SOL=(100, 200)), "d") == 1
    assert record_trial(tmp_path / "a", of("2022", BTC=(100, 250)), "a") == 3  # it grew into 2023
    assert json.loads((tmp_path / "trials.json").read_text())["periods"]["2022"] == {"BTC": [100, 250]}
    assert record_trial(tmp_path / "b", of("2022", BTC=(100, 200)), "b") == 3  # the same recipe is no new trial


def test_the_names_of_an_invented_market_make_nothing_the_same():
    series = make_series(1_672_531_200_000 + 900_000 * np.arange(300))
    assert history_of([series], is_invented=True).periods == {}
    first, last = int(series.close_time_ms[0]), int(series.close_time_ms[-1])
    assert history_of([series]) == History(mark=history_mark([series]), periods={series.symbol: (first, last)})


def test_several_at_once_lose_no_entry(tmp_path):
    marks = [f"recipe {i}" for i in range(60)]
    with ThreadPoolExecutor(6) as together:  # each takes the lock of the file anew, as processes do
        numbers = list(together.map(lambda mark: record_trial(tmp_path / "run", CANDLES, mark), marks))
    assert sorted(numbers) == list(range(1, 61))
    assert sorted(json.loads((tmp_path / "trials.json").read_text())["candles"]) == sorted(marks)


@pytest.mark.parametrize("content", ['{"a": ', "[1]", '{"candles": 3}', '{"periods": []}'])
def test_a_damaged_ledger_is_not_taken_for_an_empty_one(tmp_path, content):
    ledger = tmp_path / "trials.json"
    ledger.write_text(content)
    with pytest.raises(RunError) as caught:
        record_trial(tmp_path / "run", CANDLES, "a")
    assert caught.value.message.startswith(f"{ledger} is damaged: ")
    assert caught.value.remedy == "Restore it, or delete it: the trials made until now are then no longer counted."
    assert ledger.read_text() == content


def test_a_history_that_grew_is_the_same_history_and_another_market_is_not():
    whole = make_series(1_672_531_200_000 + 900_000 * np.arange(300))
    other = make_series(1_672_531_200_000 + 900_000 * np.arange(1, 301))
    assert history_mark([whole]) == history_mark([whole.head(200)])
    assert history_mark([whole]) != history_mark([other])

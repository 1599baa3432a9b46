import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.bootstrap.provenance import history_mark
from triptych.bootstrap.trials import record_trial
from triptych.domain.errors import RunError


def test_every_recipe_on_the_same_candles_counts_once_and_the_first_knows_of_the_later_ones(tmp_path):
    numbers = [record_trial(tmp_path, "candles", mark) for mark in ("a", "b", "a", "c", "b", "a")]
    assert numbers == [1, 2, 2, 3, 3, 3]
    assert json.loads((tmp_path / "trials.json").read_text()) == {"candles": ["a", "b", "c"]}


def test_other_candles_and_other_folders_have_their_own_count(tmp_path):
    assert record_trial(tmp_path, "candles", "a") == 1
    assert record_trial(tmp_path, "other candles", "b") == 1
    assert record_trial(tmp_path / "elsewhere", "candles", "b") == 1


def test_several_at_once_lose_no_entry(tmp_path):
    marks = [f"recipe {i}" for i in range(60)]
    with ThreadPoolExecutor(6) as together:  # each takes the lock of the file anew, as processes do
        numbers = list(together.map(lambda mark: record_trial(tmp_path, "candles", mark), marks))
    assert sorted(numbers) == list(range(1, 61))
    assert sorted(json.loads((tmp_path / "trials.json").read_text())["candles"]) == sorted(marks)


@pytest.mark.parametrize("content", ['{"a": ', "[1]", '{"candles": 3}'])
def test_a_damaged_ledger_is_not_taken_for_an_empty_one(tmp_path, content):
    ledger = tmp_path / "trials.json"
    ledger.write_text(content)
    with pytest.raises(RunError) as caught:
        record_trial(tmp_path, "candles", "a")
    assert caught.value.message.startswith(f"{ledger} is damaged: ")
    assert caught.value.remedy == "Restore it, or delete it: the trials made until now are then no longer counted."
    assert ledger.read_text() == content


def test_a_history_that_grew_is_the_same_history_and_another_market_is_not():
    whole = make_series(1_672_531_200_000 + 900_000 * np.arange(300))
    other = make_series(1_672_531_200_000 + 900_000 * np.arange(1, 301))
    assert history_mark([whole]) == history_mark([whole.head(200)])
    assert history_mark([whole]) != history_mark([other])

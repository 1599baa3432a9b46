import numpy as np
import pytest
from tests.fakes.market import walk
from tests.fakes.pattern_networks import LABELS, LEARNT, candle_network, saved_candle_network, saved_chart_network

from triptych.bootstrap.candle_findings import candle_findings, left_out
from triptych.domain import utc
from triptych.domain.errors import ArtifactError
from triptych.features.candle_labels import CANDLE_LABELS, candle_labels

SERIES = walk(300, seed=6)


def test_rules_name_what_talib_names_in_the_last_candles():
    stands = candle_labels(SERIES.values, SERIES.open_time_ms, SERIES.timeframe.milliseconds)
    expected = [
        (utc(int(SERIES.close_time_ms[row])), CANDLE_LABELS[label])
        for row, label in zip(*np.nonzero(stands), strict=True)
        if row >= 280
    ]
    found = candle_findings(SERIES, last=20)
    assert len(expected) > 10
    assert [(row["known_at"], row["pattern"]) for row in found] == expected
    assert {row["probability"] for row in found} == {1.0}
    assert len(candle_findings(SERIES)) == stands.sum()


def test_a_pattern_has_the_same_quality_however_many_candles_are_shown_or_follow():
    whole = {(row["known_at"], row["pattern"]): row["quality"] for row in candle_findings(SERIES)}
    assert len(set(whole.values())) > 5
    for shown, length in ((20, 300), (30, 300), (30, 299), (100, 260)):
        some = candle_findings(SERIES.head(length), last=shown)
        assert len(some) > 10
        assert [row["quality"] for row in some] == [whole[row["known_at"], row["pattern"]] for row in some]


def test_a_network_names_what_reaches_its_thresholds(tmp_path):
    folder = saved_candle_network(tmp_path / "net")
    answers = candle_network().over(SERIES.values)[-30:]
    found = candle_findings(SERIES, last=30, model=folder, every=True)
    assert len(found) == (answers[..., 0] >= 0.6).sum() > 5
    assert {row["pattern"] for row in found} <= set(LABELS)
    assert all(row["probability"] >= 0.6 for row in found)
    assert found[-1] == candle_findings(SERIES, model=folder, every=True)[-1]
    learnt = candle_findings(SERIES, last=30, model=folder)
    assert learnt == [row for row in found if row["pattern"] in LEARNT]
    assert 0 < len(learnt) < len(found)
    assert left_out(folder) == 1


def test_a_network_of_chart_patterns_is_refused(tmp_path):
    folder = saved_chart_network(tmp_path / "net")
    with pytest.raises(ArtifactError) as refused:
        candle_findings(SERIES, model=folder)
    assert str(refused.value) == (
        f"{folder} holds no network of candle patterns. Train one with `triptych patterns train-candles`."
    )

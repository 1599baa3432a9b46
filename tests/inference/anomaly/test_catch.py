import numpy as np
import pytest

from triptych.domain.errors import NotEnoughData
from triptych.inference.anomaly.catch import CatchDetector, ahead_mean, combine


def test_equal_rows_get_equal_scores_call_after_call(catch, rows):
    np.testing.assert_array_equal(catch.decision_function(rows), catch.decision_function(rows))


def test_a_batch_gives_what_each_window_alone_gives(catch, rows):
    scaled = catch.scaling_(rows)
    windows = np.stack([scaled[i : i + catch.memory] for i in range(300)])
    together = catch.assess(windows)  # goes through the network in pieces
    alone = [catch.assess(windows[i : i + 1]) for i in (0, 127, 128, 299)]
    np.testing.assert_allclose(
        together.evidence[[0, 127, 128, 299]], np.concatenate([one.evidence for one in alone]), rtol=1e-4, atol=1e-5
    )


def test_scores_look_back_only(catch, rows):
    whole, cut = catch.decision_function(rows), catch.decision_function(rows[:250])
    np.testing.assert_allclose(whole[:250], cut, rtol=1e-5)
    other = rows.copy()
    other[250:] = 1e3
    np.testing.assert_allclose(catch.decision_function(other)[:250], cut, rtol=1e-5)


def test_no_window_crosses_entities(catch, rows):
    together = catch.decision_function(rows, entity=np.repeat(["a", "b"], 200))
    apart = [catch.decision_function(rows[:200]), catch.decision_function(rows[200:])]
    np.testing.assert_allclose(together, np.concatenate(apart), rtol=1e-5)
    assert (together[:23] == 0).all()
    assert (together[200:223] == 0).all()
    assert (together[223:] > 0).mean() > 0.5


def test_about_as_many_normal_rows_exceed_the_threshold_as_asked(catch, rows):
    assert 0.0 <= catch.predict(rows).mean() < 0.06


def planted(rows, kind):
    x = rows.copy()
    if kind == "spike":
        x[300, 1] += 8
    elif kind == "level":
        x[300:340] += 4
    elif kind == "frozen":
        x[300:340, 2] = x[300, 2]
    elif kind == "restless":
        x[300:340, 0] += np.resize([2.5, -2.5], 40)
    elif kind == "decoupled":
        x[280:340, 0] = x[120:180, 0]
    return x


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("spike", "channel 1"), ("level", "level"), ("frozen", "channel 2: activity"), ("restless", "channel 0"),
        ("decoupled", "decoupling"),
    ],
)  # fmt: skip
def test_planted_anomalies_raise_an_alarm_with_their_reason(catch, rows, kind, reason):
    frame = catch.score_frame(planted(rows, kind)[:340])
    during = frame[300:340]
    assert during["alarm"].any()
    assert during["score"].max() > 1.15 * frame[100:280]["score"].max()
    assert any(reason in text for text in during["reasons"])


def test_a_frozen_feed_scores_higher_than_it_did_though_it_is_easy_to_reconstruct(catch, rows):
    before, after = catch.decision_function(rows), catch.decision_function(planted(rows, "frozen"))
    assert after[315:340].min() > before[315:340].max()


def test_univariate_rows_work(fit_one, rows):
    detector = fit_one(1)
    assert detector.kinds[-1] == "rhythm"
    x = rows[:, 0].copy()
    x[300:310] += 9
    scores = detector.decision_function(x)
    assert 300 <= scores.argmax() < 320


def test_centred_scores_are_the_mean_of_the_causal_ones_ahead(catch, fit_one, rows):
    centred = fit_one(placement="centred")
    np.testing.assert_allclose(centred.decision_function(rows), ahead_mean(catch.decision_function(rows), 8), rtol=1e-5)


def test_means_ahead_are_shorter_at_the_end():
    np.testing.assert_allclose(ahead_mean(np.array([1.0, 2.0, 3.0, 4.0]), 3), [2.0, 3.0, 3.5, 4.0])


def test_one_number_of_all_evidence():
    evidence = np.array([[[4.0, 1.9], [0.0, 2.0]]])
    np.testing.assert_allclose(combine(evidence, np.array([2.0, 0.0])), np.sqrt((4 + 3.61 + 0 + 4) / 4))


def test_the_seed_decides(catch, fit_one, rows):
    again = CatchDetector(catch.config, learner=catch.learner)
    from tests.fakes.waves import waves

    again.fit(waves(1600))
    np.testing.assert_array_equal(again.decision_function(rows), catch.decision_function(rows))
    assert not np.array_equal(fit_one(seed=1).decision_function(rows), catch.decision_function(rows))


def test_fewer_rows_than_windows_are_refused(catch, rows):
    with pytest.raises(NotEnoughData) as error:
        CatchDetector(catch.config, learner=catch.learner).fit(rows[:40])
    assert str(error.value) == (
        "40 rows, 40 of them without a break, are too few for a detector that looks back on 24 and lets "
        "0.01 of the normal rows alarm. Bring at least 477 unbroken rows, choose a shorter window or a greater "
        "contamination."
    )


def test_fewer_rows_than_a_window_are_not_scored_in_silence(catch, rows):
    with pytest.raises(NotEnoughData) as error:
        catch.decision_function(rows[:23])
    assert str(error.value) == (
        "23 rows, 23 of them without a break, cannot be scored by a detector that looks back on 24. Bring at least 24 "
        "unbroken rows: those before the first that shall be scored too."
    )
    assert catch.decision_function(rows[:24])[:23].max() == 0

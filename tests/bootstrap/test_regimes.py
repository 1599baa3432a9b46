import numpy as np
import pytest
from tests.inference.test_regimes import series

from triptych.bootstrap import regimes as fitting
from triptych.bootstrap.regimes import WEIGHTS, fit_regimes, rule_labels, taught_regimes
from triptych.domain.errors import ArtifactError
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.regimes import RegimeFilter
from triptych.settings.regimes import Config

TINY = {
    "use": True,
    "length": 24,
    "stride": 12,
    "encoding": {"name": "candlestick", "height": 32, "width": 48},
    "model": {"name": "lenet5_relu", "width": 0.5},
    "training": {"epochs": 1, "batch_size": 32},
}
MEMORY = 40


@pytest.fixture(scope="module")
def seen():
    """Lengths of the histories that filters were fitted on, in order."""
    return []


@pytest.fixture(scope="module")
def trained(tmp_path_factory, seen):
    honest = RegimeFilter.fit.__func__

    def fit(cls, histories):
        seen.append([len(one) for one in histories])
        return honest(cls, histories)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RegimeFilter, "fit", classmethod(fit))
        config = Config(use=True, memory=MEMORY, network=TINY)
        return fit_regimes([series(1500)], config, tmp_path_factory.mktemp("artifact") / "regimes", seed=3)


def heard(teller, weight):
    """The same with another weight of its network."""
    return RegimeTeller(
        filter=teller.filter, memory=teller.memory, switches=teller.switches,
        soft=type(teller.soft)(
            reader=teller.soft.reader, prior=teller.soft.prior, weight=weight, folder=teller.soft.folder
        ),
    )  # fmt: skip


def test_the_network_is_weighed_beside_a_filter_that_has_seen_no_more_than_it(trained, seen):
    assert seen == [[1500], [1200]]  # the filter that is kept, and the one of the choice: a fifth validates
    assert trained.soft.weight in WEIGHTS
    assert trained.soft.prior.sum() == pytest.approx(1.0)


def test_the_weight_with_the_least_log_loss_is_taken(trained, monkeypatch):
    one, config = series(1500), Config(network=TINY).network
    before = RegimeFilter.fit([one.head(1200)])
    labels = taught_regimes(one)

    class Knows:
        """A network that says what it will be taught."""

        length = 24

        def over(self, values, ends):
            return np.where(np.isfinite(labels), labels, 0.2)[ends][:, :, None]

    monkeypatch.setattr(fitting, "open_patterns", lambda _: Knows())
    assert fitting._weighed([one], config, before, trained.soft.folder, np.full(5, 0.2)).weight == 1.0
    labels = np.roll(labels, 1, axis=1)  # and one that says something else
    assert fitting._weighed([one], config, before, trained.soft.folder, np.full(5, 0.2)).weight == 0.0


def test_soft_labels_sum_to_one_where_they_are_known(trained):
    found = trained.soft.posterior(series(120, seed=3), 40)
    assert np.isnan(found[:40]).all()
    np.testing.assert_allclose(found[40:].sum(axis=1), 1.0)


def test_a_network_that_is_heard_changes_what_is_told_and_one_that_is_not_does_not(trained):
    one, ends = series(420, seed=3), np.array([400, 419])
    plain = trained.filter.recent(one, MEMORY)[ends]
    np.testing.assert_array_equal(heard(trained, 0.0).at(one, ends).probability, plain)
    assert np.abs(heard(trained, 1.0).at(one, ends).probability - plain).max() > 1e-3


def test_what_is_told_of_a_close_is_told_from_its_last_candles_alone(trained):
    one, teller = series(420, seed=3), heard(trained, 0.5)
    whole = teller.at(one, np.arange(300, 420))
    for end in (300, 350, 419):
        last = one.between(end + 1 - teller.reach, end + 1)
        now = teller.at(last, np.array([len(last) - 1]))
        np.testing.assert_allclose(now.probability[0], whole.probability[end - 300], rtol=0, atol=1e-9)
        assert now.since_switch[0] == whole.since_switch[end - 300]


def test_the_network_is_taught_one_regime_a_candle():
    taught = taught_regimes(series(900))
    assert np.isnan(taught[:228]).all()
    assert np.isnan(taught[-12:]).all()
    np.testing.assert_array_equal(taught[228:-12].sum(axis=1), 1.0)


def test_all_that_tells_regimes_is_written_down_and_read_again(trained):
    again = RegimeTeller.of_card(trained.card(), trained.soft.folder.parent)
    one, ends = series(420, seed=3), np.arange(380, 420)
    ours, theirs = trained.at(one, ends), again.at(one, ends)
    np.testing.assert_array_equal(theirs.probability, ours.probability)
    np.testing.assert_array_equal(theirs.since_switch, ours.since_switch)
    assert again.card() == trained.card()


def test_another_network_is_refused(trained):
    card = trained.card()
    folder = trained.soft.folder
    with pytest.raises(ArtifactError) as refused:
        RegimeTeller.of_card({**card, "network": {**card["network"], "hash": "0" * 64}}, folder.parent)
    assert str(refused.value) == (
        f"{folder} holds another network than the one its artifact was made with. Train the run again, or copy the "
        "artifact anew."
    )


def test_a_card_from_before_there_were_switches_tells_none(trained):
    old = {name: trained.card()[name] for name in ("memory", "filter", "notes")}
    told = RegimeTeller.of_card(old, trained.soft.folder).at(series(420), np.array([400]))
    assert told.since_switch.tolist() == [-1]


def test_one_trend_holds_at_a_time_by_the_rules():
    found = rule_labels(series(900))[240:]
    np.testing.assert_array_equal(found[:, :3].sum(axis=1), 1.0)

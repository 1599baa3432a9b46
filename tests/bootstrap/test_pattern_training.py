import shutil

import pytest
from tests.features.markets import TIMEFRAME_MS, random_walk

from triptych.bootstrap.candle_patterns import CandlePatternRecipe, train_candle_patterns
from triptych.bootstrap.chart_patterns import ChartPatternRecipe, read_pattern_recipe, train_chart_patterns
from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.domain.errors import NotEnoughData, RunError
from triptych.training.multi_label import Config as TrainingConfig

CANDLES = CandlePatternRecipe(
    width=16, depth=1, least_examples=20, training=TrainingConfig(epochs=3, batch_size=128, learning_rate=5e-3)
)


class Killed(Exception):
    """As if the process had been killed."""


def walk(n=900, seed=1, symbol="WALK"):
    values, times = random_walk(n, seed=seed)
    return CandleSeries(
        instrument=Instrument(symbol=symbol), timeframe=Timeframe(TIMEFRAME_MS), open_time_ms=times, values=values
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network that is complete."""
    folder = tmp_path_factory.mktemp("made") / "net"
    return folder, train_candle_patterns([walk()], CANDLES, folder)


@pytest.fixture
def net(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "net")


def kill_at(epoch):
    def tell(words):
        if words.startswith(f"Epoch {epoch} "):
            raise Killed

    return tell


def test_a_killed_training_goes_on_and_saves_the_same_network(made, tmp_path):
    net, told = tmp_path / "net", []
    with pytest.raises(Killed):
        train_candle_patterns([walk()], CANDLES, net, tell=kill_at(3))
    assert [path.name for path in net.iterdir()] == ["training"]
    result = train_candle_patterns([walk()], CANDLES, net, tell=told.append)
    assert told[0] == f"{net} was stopped before its end: going on."
    assert [words[:7] for words in told if words.startswith("Epoch")] == ["Epoch 3"]
    assert (net / "weights.safetensors").read_bytes() == (made[0] / "weights.safetensors").read_bytes()
    assert (result.macro_f1, result.scores) == (made[1].macro_f1, made[1].scores)
    assert not (net / "training").exists()


def test_a_network_that_is_complete_is_not_trained_twice(made, net):
    told, before = [], (net / "card.json").stat().st_mtime_ns
    again, first = train_candle_patterns([walk()], CANDLES, net, tell=told.append), made[1]
    assert told == [f"{net} is complete already: same recipe, data, versions and seed. --fresh trains it again."]
    assert (net / "card.json").stat().st_mtime_ns == before
    assert (again.macro_f1, again.interval, again.always, again.scores) == (
        first.macro_f1, first.interval, first.always, first.scores,
    )  # fmt: skip
    assert (again.threshold == first.threshold).all()


def test_the_same_files_in_another_order_teach_the_same_network(tmp_path):
    both = [walk(symbol="A"), walk(seed=2, symbol="B")]
    recipe = CANDLES.model_copy(update={"training": CANDLES.training.model_copy(update={"epochs": 1})})
    for name, histories in (("one", both), ("other", both[::-1])):
        train_candle_patterns(histories, recipe, tmp_path / name)
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "other"))
    assert one == other


def test_another_network_in_the_folder_is_kept_unless_fresh_is_said(net):
    with pytest.raises(RunError) as refused:
        train_candle_patterns([walk(seed=2)], CANDLES, net)
    assert str(refused.value) == (
        f"{net} holds another network: candles differ. Choose another --out, or --fresh to replace it."
    )
    with pytest.raises(RunError, match="holds another network: recipe and candles differ"):
        train_chart_patterns(ChartPatternRecipe(charts=16, validation_charts=1), net)
    with pytest.raises(Killed):  # begun anew: what was there is gone
        train_candle_patterns([walk(seed=2)], CANDLES, net, fresh=True, tell=kill_at(2))
    assert [path.name for path in net.iterdir()] == ["training"]
    with pytest.raises(RunError, match="holds another network: candles differ"):
        train_candle_patterns([walk()], CANDLES, net)


def test_what_cannot_be_trained_takes_nothing_away(made, net):
    for series in (walk(100), walk(600)):  # too few candles, too few examples
        with pytest.raises(NotEnoughData):
            train_candle_patterns([series], CANDLES.model_copy(update={"least_examples": 400}), net, fresh=True)
    assert sorted(path.name for path in net.iterdir()) == sorted(path.name for path in made[0].iterdir())
    assert (net / "weights.safetensors").read_bytes() == (made[0] / "weights.safetensors").read_bytes()


def test_what_cannot_be_trained_leaves_a_training_that_was_stopped(tmp_path):
    net = tmp_path / "net"
    with pytest.raises(Killed):
        train_candle_patterns([walk()], CANDLES, net, tell=kill_at(2))
    with pytest.raises(NotEnoughData):
        train_candle_patterns([walk(100)], CANDLES, net, fresh=True)
    assert sorted(path.name for path in (net / "training").iterdir()) == ["begun.json", "checkpoint.ckpt"]


def test_what_lies_in_the_folder_is_never_lost(net, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(RunError, match=r"is not empty and holds no network\. Choose another --out\."):
            train_candle_patterns([walk()], CANDLES, tmp_path, fresh=fresh)
    (net / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds notes\.txt beside a network, which would be lost"):
        train_candle_patterns([walk()], CANDLES, net, fresh=True)
    assert (net / "card.json").exists()


def test_a_damaged_network_is_told(net):
    (net / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(RunError, match="Choose another --out, or --fresh to replace it"):
        train_candle_patterns([walk()], CANDLES, net)


def test_parts_without_a_window_are_told_before_examples_and_leave_no_folder(tmp_path):
    with pytest.raises(NotEnoughData) as refused:
        train_candle_patterns([walk(100)], CANDLES, tmp_path / "net")
    assert str(refused.value) == (
        "The validation part, the 10% behind the part to learn from of each history, holds no window of 16 candles: "
        "the longest history has 100. Bring longer histories: for all common patterns some tens of thousands of "
        "candles."
    )
    assert not (tmp_path / "net").exists()
    with pytest.raises(NotEnoughData, match=r"No candle pattern stands 9999 times in the training part: the most "):
        train_candle_patterns([walk()], CANDLES.model_copy(update={"least_examples": 9999}), tmp_path / "net")


def test_what_a_recipe_leaves_out_is_as_in_the_defaults(tmp_path):
    (tmp_path / "r.toml").write_text("[training]\nepochs = 2\n")
    found = read_pattern_recipe(tmp_path / "r.toml", CandlePatternRecipe, ["width=32", "training.learning_rate=0.001"])
    assert found == CandlePatternRecipe(
        width=32,
        training=CandlePatternRecipe().training.model_copy(update={"epochs": 2, "learning_rate": 0.001}),
    )
    assert read_pattern_recipe(None, ChartPatternRecipe, ["charts=20"]) == ChartPatternRecipe(charts=20)

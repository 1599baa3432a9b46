"""A recipe whose network reads the score of an anomaly detector: refused early, and whole without its folder."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.bootstrap.test_consensus import recipe_in
from tests.fakes.micro import micro_recipe
from tests.fakes.tuning import search_file
from tests.fakes.waves import TINY

from triptych import bootstrap
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.feature_detectors import pinned_detector, refuse_seen_detector
from triptych.bootstrap.run_folder import open_run, recipe_hash
from triptych.domain import Timeframe
from triptych.domain.errors import ArtifactError
from triptych.features.channels import market_channels
from triptych.inference import load_artifact
from triptych.inference.anomaly.catch import CatchDetector, Config
from triptych.inference.anomaly.saving import CARD, hash_of_card, save_detector
from triptych.settings import load_recipe, members_of

READS = (
    'features.names=["return_1"]', "features.window=20", "encoding.name=sequence", "encoding.factors=10",
    "model.name=gru", "model.sequence.width=8", "model.sequence.labels_per_parameter=0", "training.epochs=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A detector that was fitted on the first 340 candles of the smallest recipe; what it has learnt is of no matter
    here."""
    home = tmp_path_factory.mktemp("fitted")
    (series,) = load_candles(micro_recipe(home)).series
    made = market_channels([series.head(340)])
    frame = pl.DataFrame(made.values, schema=list(made.columns))
    detector = CatchDetector(Config(network=TINY, focus=8, groups=3, contamination=0.1), learner=lambda *_: None)
    save_detector(home / "d", detector.fit(frame, time=pl.Series(made.close_time_ms)))
    return home / "d"


@pytest.fixture
def seen(fitted, tmp_path):
    """The same, but for a card that says that it has seen all."""
    folder = shutil.copytree(fitted, tmp_path / "seen")
    rewrite(folder, last_time="2100-01-01T00:00:00Z")
    return folder


def rewrite(folder, **changes):
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | changes))


def recipe_of(home, folder, *overrides):
    return micro_recipe(home, *READS, f"features.detector={folder}", *overrides)


@pytest.fixture(scope="module")
def run(fitted, tmp_path_factory):
    """A run that was trained with a detector named by a relative path, whose folder has been refitted since."""
    home = tmp_path_factory.mktemp("home")
    folder = shutil.copytree(fitted, home / "d1")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        run = bootstrap.train(recipe_of(home, "d1"), folder=home / "run", progress_bar=False)
    rewrite(folder, last_time="2100-01-01T00:00:00Z")
    return run


def test_a_run_is_judged_by_the_detector_that_it_carries(run, fitted):
    again = open_run(run.folder)
    own = run.folder / "folds" / "0" / "artifact" / "detector"
    assert Path(again.recipe.features.detector) == own
    assert load_artifact(again.artifact).card.features["detector_hash"] == hash_of_card(fitted) == hash_of_card(own)
    trials = bootstrap.backtest(again)["trials"]
    shutil.rmtree(run.folder.parent / "d1")
    assert bootstrap.backtest(open_run(run.folder))["trials"] == trials  # of the same recipe, wherever its parts lie
    assert bootstrap.backtest(open_run(run.folder), overrides=["strategy.enter=0.4"])["verdict"]


def test_a_run_that_was_trained_with_one_that_has_seen_the_test_is_refused(run, tmp_path):
    """As it could be trained once: by its own copy, whatever the folder beside it says, and without a hash."""
    folder = shutil.copytree(run.folder, tmp_path / "run")
    artifact = folder / "folds" / "0" / "artifact"
    rewrite(artifact / "detector", last_time="2100-01-01T00:00:00Z")
    card = load_artifact(run.artifact).card
    files = card.files | {"detector/card.json": hash_of_card(artifact / "detector")}
    rewrite(artifact, files=files, features=card.features | {"detector_hash": ""})
    recipe = (folder / "recipe.toml").read_text().replace(run.recipe.features.detector_hash, "")
    (folder / "recipe.toml").write_text(recipe)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"recipe_hash": recipe_hash(recipe)}))
    with pytest.raises(ArtifactError, match=r"was fitted on rows until 2100-01-01 00:00, after the start of the test"):
        bootstrap.backtest(open_run(folder))


def test_training_refuses_a_detector_that_has_seen_the_test_before_any_work(seen, tmp_path):
    told = []
    with pytest.raises(ArtifactError) as refused:
        bootstrap.train(recipe_of(tmp_path, seen), folder=tmp_path / "run", tell=told.append, progress_bar=False)
    assert refused.value.message.startswith(
        f"The detector {seen} was fitted on rows until 2100-01-01 00:00, after the start of the test period, 20"
    )
    assert refused.value.message.endswith(": the network would know what is to come.")
    assert not (tmp_path / "run").exists()
    assert not any("learns" in one for one in told)


def test_the_first_test_of_a_walk_counts(fitted, tmp_path):
    walk = ('split.kind="walk_forward"', "split.train=0.4", "split.validation=0.1", "split.test=0.5", "split.folds=2")
    recipe = recipe_of(tmp_path, fitted, *walk)
    candles = load_candles(recipe)
    starts = [fold.test.start_ms for fold in Dataset.of(recipe, candles).folds]
    between = str(pl.Series([starts[0] + 1]).cast(pl.Datetime("ms"))[0]).replace(" ", "T") + "Z"
    later = shutil.copytree(fitted, tmp_path / "later")
    rewrite(later, last_time=between)
    assert starts[0] + 1 < starts[1]
    with pytest.raises(ArtifactError, match="after the start of the test period"):
        Dataset.of(recipe_of(tmp_path, later, *walk), candles)
    timeframe = Timeframe.parse("15m")
    refuse_seen_detector(recipe_of(tmp_path, later), timeframe, starts[0] + 1)
    with pytest.raises(ArtifactError, match="was fitted on rows that are 0:15:00 apart; the network has candles of 1h"):
        refuse_seen_detector(recipe, Timeframe.parse("1h"), starts[0])


def test_a_search_refuses_what_its_own_folds_judge_before_it_begins(fitted, tmp_path):
    named = (*READS, f"features.detector={fitted}", "tune.walked=0.7")
    recipe = load_recipe(str(search_file(tmp_path)), named)
    with pytest.raises(ArtifactError) as refused:
        bootstrap.tune(recipe, folder=tmp_path / "search", refits=False)
    assert refused.value.message.startswith(
        f"The search judges its candidates before the recipe's test part. The detector {fitted} was fitted on rows"
    )
    assert not (tmp_path / "search").exists()


def test_an_ablation_refuses_before_anything_is_trained(fitted, seen, tmp_path):
    recipe = recipe_of(
        tmp_path, fitted, f"ablation=[{{name='other', changes={{'features.detector'='{seen}'}}}}]"
    )  # fmt: skip
    with pytest.raises(ArtifactError, match="after the start of the test period"):
        bootstrap.ablate(recipe, folder=tmp_path / "ablation")
    assert not (tmp_path / "ablation").exists()


def test_a_member_of_a_consensus_is_asked_too(seen, fitted, tmp_path):
    def consensus(folder):
        recipe = recipe_in(tmp_path)
        changes = {"features.detector": str(folder), "encoding.factors": 12}
        first = recipe.members[0].model_copy(update={"changes": {**recipe.members[0].changes, **changes}})
        return recipe.model_copy(update={"members": (first, *recipe.members[1:])})

    with pytest.raises(ArtifactError, match="after the start of the test period"):
        bootstrap.train(consensus(seen), folder=tmp_path / "run", progress_bar=False)
    assert not (tmp_path / "run").exists()
    moved = shutil.copytree(fitted, tmp_path / "moved")
    marks = [recipe_hash(pinned_detector(consensus(one)).to_toml()) for one in (fitted, moved, seen)]
    assert marks[0] == marks[1] != marks[2]
    assert members_of(pinned_detector(consensus(moved)))["prices"].features.detector == str(moved)


def test_the_same_detector_elsewhere_is_the_same_run_and_another_one_is_not(fitted, seen, tmp_path):
    moved = shutil.copytree(fitted, tmp_path / "b")
    marks = [recipe_hash(pinned_detector(recipe_of(tmp_path, one)).to_toml()) for one in (fitted, moved, seen)]
    assert marks[0] == marks[1] != marks[2]
    written = pinned_detector(recipe_of(tmp_path, moved))
    rewrite(moved, last_time="2001-01-01T00:00:00Z")
    with pytest.raises(ArtifactError) as refused:
        pinned_detector(written)
    assert refused.value.message == f"{moved} holds another detector than the one the recipe was made with."
    with pytest.raises(ArtifactError, match="holds another detector"):
        Dataset.of(written, load_candles(written))

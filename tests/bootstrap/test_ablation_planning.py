import dataclasses

import pytest
import torch
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap.ablation_planning import from_one_time_on, plan_variants
from triptych.bootstrap.building import Dataset, build_classifier
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.foreseeing import Foresight, require_trainable
from triptych.bootstrap.run_folder import open_or_create
from triptych.bootstrap.telling import silent
from triptych.domain.errors import DataError, NotEnoughData, RecipeError
from triptych.settings import members_of
from triptych.settings.member import Member
from triptych.settings.reading import with_overrides
from triptych.settings.variant import Variant

SMALL = ("training.epochs=1", "data.synthetic.n_candles=700", "split.kind=walk_forward", "split.folds=2")
TOO_LARGE = {
    "features.names": ["return_1", "range"],
    "features.window": 64,
    "encoding.name": "sequence",
    "encoding.factors": 2,
    "model.name": "gru",
    "model.width": 2.0,
}
WIDER = Variant(name="wider", changes={"model.width": 0.15})
ELSE = "Or drop the variant, or ask for others by --only."


def with_variants(folder, *variants):
    return micro_recipe(folder, *SMALL).model_copy(update={"ablation": variants})


@pytest.mark.parametrize(
    ("changes", "kind", "what"),
    [
        (TOO_LARGE, RecipeError, r"gru has [\d,]+ parameters\. Its [\d,]+ windows to learn from are worth"),
        ({"data.start": "2030-01-01"}, NotEnoughData, "0 candles are left"),
        ({"data.source": "file", "data.path": "nowhere.parquet"}, DataError, "nowhere.parquet"),
        ({"window.stride": 400}, NotEnoughData, "A stride of 400 leaves"),
        ({"features.names": ["return_1"]}, RecipeError, "draws candles, and the windows hold factors"),
    ],
)
def test_a_variant_that_cannot_be_trained_is_named_before_anything_is_trained_or_written(tmp_path, changes, kind, what):
    recipe = with_variants(tmp_path, WIDER, Variant(name="no way", changes=changes))
    told = []
    with pytest.raises(kind, match=rf"^Variant 'no way': .*{what}") as caught:
        bootstrap.ablate(recipe, folder=tmp_path / "out", tell=told.append)
    assert caught.value.remedy.endswith(ELSE)
    with pytest.raises(kind, match=r"^Variant 'no way': "):
        bootstrap.ablate_over_seeds(recipe, seeds=2, folder=tmp_path / "out", tell=told.append)
    assert told == []
    assert not (tmp_path / "out").exists()


def test_the_recipe_itself_is_named_without_the_advice_to_drop_it(tmp_path):
    recipe = with_variants(tmp_path, WIDER)
    recipe = recipe.model_copy(update={"window": recipe.window.model_copy(update={"stride": 400})})
    with pytest.raises(NotEnoughData, match=r"^micro itself: A stride of 400 leaves") as caught:
        plan_variants(recipe, tmp_path / "out", ())
    assert caught.value.remedy == "Lower window.stride."


def test_a_variant_that_is_not_asked_need_not_be_trainable_and_that_is_told(tmp_path):
    far = Variant(name="too late", changes={"data.start": "2030-01-01"})
    large = Variant(name="too large", changes=TOO_LARGE)
    planned = plan_variants(with_variants(tmp_path, far, large, WIDER), tmp_path / "out", ["wider"])
    assert (planned.asked, list(planned.variants)) == (["micro", "wider"], ["micro", "wider"])
    (note,) = (one for one in planned.notes if "too late" in one)
    assert note.startswith("Variant 'too late': ")
    assert note.endswith("It is not asked, and holds nobody back.")


def test_held_back_to_the_latest_a_variant_may_have_too_little_to_learn_from(tmp_path):
    """Its own history would do; what is left of it from the others' first window on does not."""
    late = Variant(name="late", changes={"split.samples_from": "2024-01-05 08:00:00", "window.stride": 2})
    plain = with_variants(tmp_path, late)
    recipe = plain.model_copy(update={"window": plain.window.model_copy(update={"stride": 80})})
    Foresight().look(recipe)
    with pytest.raises(NotEnoughData, match=r"^micro itself: A stride of 80 leaves [01] of"):
        plan_variants(recipe, tmp_path / "out", ())


def test_every_member_is_looked_at_before_the_first_is_trained(tmp_path):
    members = (Member(name="small"), Member(name="large", changes=TOO_LARGE))
    recipe = micro_recipe(tmp_path, *SMALL).model_copy(update={"members": members})
    told = []
    with pytest.raises(RecipeError, match=r"^Member 'large': gru has [\d,]+ parameters"):
        bootstrap.train(recipe, folder=tmp_path / "run", tell=told.append)
    assert not any("learns" in line or "Member 1" in line for line in told)
    assert not (tmp_path / "run").exists()
    alone = micro_recipe(tmp_path, *SMALL)
    both = Variant(name="both", changes={"members": [one.model_dump(mode="json") for one in members]})
    with pytest.raises(RecipeError, match=r"^Variant 'both': Member 'large': gru has [\d,]+ parameters"):
        bootstrap.ablate(alone.model_copy(update={"ablation": (both,)}), folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_must_be_small_enough_for_every_fold_not_the_first_alone(tmp_path):
    recipe = with_overrides(micro_recipe(tmp_path, *SMALL).model_dump(mode="json"), (), TOO_LARGE, where="x")
    dataset = Dataset.of(recipe, load_candles(recipe))
    poor, rich = (dataset.samples(fold.train).effective_n for fold in dataset.folds)
    count = sum(one.numel() for one in build_classifier(recipe).network.parameters())
    sequence = recipe.model.sequence.model_copy(update={"labels_per_parameter": (poor + rich) / 2 / count})
    fed = recipe.model_copy(update={"model": recipe.model.model_copy(update={"sequence": sequence})})
    first, second = dataset.folds
    require_trainable(dataclasses.replace(dataset, recipe=fed, folds=(second,)))
    with pytest.raises(RecipeError, match="gru has"):
        require_trainable(dataclasses.replace(dataset, recipe=fed, folds=(second, first)))


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_missed_before_the_first_training_by_whom_it_concerns(tmp_path):
    changes = {"training.accelerator": "gpu"}
    with pytest.raises(RecipeError, match=r"^Variant 'fast': .*finds no GPU"):
        plan_variants(with_variants(tmp_path, WIDER, Variant(name="fast", changes=changes)), tmp_path / "out", ())
    members = (Member(name="slow"), Member(name="fast", changes=changes))
    told, recipe = [], micro_recipe(tmp_path, *SMALL).model_copy(update={"members": members})
    with pytest.raises(RecipeError, match=r"^Member 'fast': .*finds no GPU"):
        bootstrap.train(recipe, folder=tmp_path / "run", tell=told.append)
    assert not any("Member 1" in line for line in told)
    assert not (tmp_path / "run").exists()


def test_what_recipes_have_in_common_is_read_once_whatever_their_seed(tmp_path):
    foresight, recipe = Foresight(), micro_recipe(tmp_path, *SMALL)
    first, again = foresight.look(recipe), foresight.look(recipe.model_copy(update={"seed": 9}))
    assert (first.data_hash, first.first_ms) == (again.data_hash, again.first_ms)
    assert first.fingerprint != again.fingerprint
    assert (len(foresight._read), len(foresight._cut)) == (1, 1)


def test_a_variant_whose_windows_are_known_earlier_is_held_back_to_the_latest(tmp_path):
    recipe = micro_recipe(tmp_path, "data.synthetic.n_candles=700", "target.threshold=fixed", "window.stride=1")
    wider = recipe.model_copy(update={"window": recipe.window.model_copy(update={"length": 40})})
    told = []
    found = from_one_time_on({"base": recipe, "wider": wider}, told.append, Foresight())
    assert found["wider"] is wider
    times = {}
    for name, one in found.items():
        dataset = Dataset.of(one, bootstrap.load_candles(one))
        times[name] = dataset.samples(dataset.folds[0].train).time_ms
    assert times["base"].tolist() == times["wider"].tolist()
    assert told == ["base could learn from 2024-01-01 04:00:00 on, and does from 2024-01-01 10:00:00, as the others."]


def test_a_variant_that_is_not_asked_holds_the_others_back_unless_the_history_is_too_short_for_it(tmp_path):
    recipe = micro_recipe(tmp_path, "data.synthetic.n_candles=700", "target.threshold=fixed", "window.stride=1")
    wider, endless = (
        recipe.model_copy(update={"window": recipe.window.model_copy(update={"length": length})})
        for length in (40, 690)
    )
    variants = {"base": recipe, "wider": wider, "endless": endless}
    found = from_one_time_on(variants, silent, Foresight(), only=["base"])
    assert list(found) == ["base"]
    assert found["base"].split.samples_from == "2024-01-01 10:00:00"
    with pytest.raises(NotEnoughData):
        from_one_time_on(variants, silent, Foresight(), only=["base", "endless"])


def test_variants_of_a_consensus_learn_from_the_same_time_on_where_their_members_differ(tmp_path):
    split = ("split.kind=walk_forward", "split.train=0.4", "split.validation=0.2", "split.test=0.4", "split.folds=2")
    plain = micro_recipe(tmp_path, "data.synthetic.n_candles=700", "target.threshold=fixed", "window.stride=1", *split)
    narrow, wide = Member(name="narrow"), Member(name="wide", changes={"window.length": 40})
    recipe = plain.model_copy(update={"members": (narrow, wide)})
    other = recipe.consensus.model_copy(update={"method": "vote"})
    told = []
    alike = {"base": recipe, "joined otherwise": recipe.model_copy(update={"consensus": other})}
    assert from_one_time_on(alike, told.append, Foresight()) == alike
    assert told == []
    wider = Member(name="wide", changes={"window.length": 60})
    variants = alike | {"wider": recipe.model_copy(update={"members": (narrow, wider)}), "alone": plain}
    found = from_one_time_on(variants, told.append, Foresight())
    assert [line.split(" could")[0] for line in told] == ["base", "joined otherwise", "wider", "alone"]
    firsts = set()
    for one in found.values():
        for member in (members_of(one) or {"": one}).values():
            dataset = Dataset.of(member, load_candles(member))
            firsts.add(int(dataset.samples(dataset.folds[0].train).time_ms.min()))
    assert len(firsts) == 1


def test_a_variant_under_whose_number_another_lies_gets_a_number_of_its_own(tmp_path):
    alike = [Variant(name="a b", changes={"seed": 4}), Variant(name="A-B", changes={"seed": 5})]
    first = plan_variants(with_variants(tmp_path, *alike), tmp_path, ())
    assert [place.name for place in first.places.values()] == ["0-micro", "1-a-b", "2-a-b"]
    foreseen = Foresight().look(first.variants["A-B"])
    open_or_create(foreseen.recipe, foreseen.data_hash, tmp_path / "2-a-b")
    turned = plan_variants(with_variants(tmp_path, *alike[::-1]), tmp_path, ["A-B"])
    assert {name: place.name for name, place in turned.places.items()} == {
        "micro": "0-micro", "A-B": "2-a-b", "a b": "3-a-b",
    }  # fmt: skip

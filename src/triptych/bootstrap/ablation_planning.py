"""What an ablation will do, found out before anything is written: who trains, from when on, where, and who cannot."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from triptych.bootstrap.candle_books import lacks_books
from triptych.bootstrap.files import read_json
from triptych.bootstrap.foreseeing import Foreseen, Foresight, require_devices
from triptych.bootstrap.learning import is_trained
from triptych.bootstrap.other_markets import lacks_weights
from triptych.bootstrap.pattern_networks import lacks_networks, pinned
from triptych.bootstrap.run_folder import RECORD, refuse_other
from triptych.bootstrap.telling import Tell
from triptych.domain import utc
from triptych.domain.errors import RecipeError, RunError, TriptychError
from triptych.settings import Recipe, variants_of

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """An ablation before anything of it is written: what is asked, what stays, and what was left out.

    `variants` are the recipes that will have a run, by name, held back to a common first window; `asked` names those
    that are trained, the others are complete in `places`. `notes` are to be told.
    """

    recipe: Recipe
    home: Path
    variants: dict[str, Recipe]
    places: dict[str, Path]
    asked: list[str]
    left_out: dict[str, str]
    notes: list[str]

    def naming(self, name: str, done: str = "") -> contextlib.AbstractContextManager[None]:
        """Errors inside are of this variant; see `naming_variant`. `done` says what of the ablation is done."""
        return naming_variant(name, self.recipe.name, self.places[name], done)


def plan_variants(recipe: Recipe, home: Path, only: Collection[str], foresight: Foresight | None = None) -> Planned:
    """Find what is to be trained and what stays, and refuse what cannot be; writes nothing.

    Whatever can be known without training is asked of every variant that is to be trained, and of every member of it.
    `foresight` is shared by plans of several seeds.

    Raises as `ablate` does.
    """
    notes: list[str] = []
    foresight = foresight or Foresight()
    usual = {name: home / f"{number}-{_slug(name)}" for number, name in enumerate(variants_of(recipe))}
    there = [name for name in usual if _runs_of(name, home)]
    recipes, left_out = _asked(recipe, only, there, notes.append, foresight)
    asked = [name for name in recipes if not only or name in (recipe.name, *only)]
    foreseen = _each(recipes, asked, lambda name, one: foresight.look(one, trains=name in asked), notes.append)
    places = _places(usual, {name: one.fingerprint for name, one in foreseen.items()}, home)
    trained = [name for name, one in foreseen.items() if _is_trained(one.fingerprint, places[name])]
    for name in asked:
        with naming_variant(name, recipe.name, places[name]):
            _refuse_other(foreseen[name], places[name])
            if name not in trained:
                require_devices(recipes[name])
    known = set(places.values()).union(*(_runs_of(name, home) for name in usual if name not in foreseen))
    if stale := [place.name for place in _numbered(home) if place not in known]:
        notes.append(f"No variants of this recipe as it is, and left as they are in {home}: {', '.join(stale)}.")
    return Planned(
        recipe=recipe,
        home=home,
        variants={name: recipes[name] for name in foreseen if name in asked or name in trained},
        places=places,
        asked=asked,
        left_out=left_out,
        notes=notes,
    )


@contextlib.contextmanager
def naming_variant(name: str, first: str, place: Path | None = None, done: str = "") -> Iterator[None]:
    """Errors inside name the variant, or the recipe itself (`first`), and say what else may be done about it.

    Args:
        name: of the variant.
        first: of the recipe.
        place: where its run lies, which is to be removed where `train` would be asked with --fresh.
        done: what is done already, a sentence.
    """
    try:
        yield
    except TriptychError as error:
        remedy = error.remedy
        if "--fresh" in remedy or "`triptych train`" in remedy:  # neither is at hand here
            remedy = "Choose another --out" + (f", or remove {place} to train it anew." if place else ".")
        elif name != first:
            remedy = f"{remedy} Or drop the variant, or ask for others by --only.".strip()
        whose = f"{first} itself" if name == first else f"Variant {name!r}"
        raise type(error)(f"{whose}: {error.message}", remedy=f"{remedy} {done}".strip()) from error


def from_one_time_on(
    recipes: Mapping[str, Recipe],
    tell: Tell,
    foresight: Foresight,
    *,
    only: Collection[str] = (),
    there: Collection[str] = (),
) -> dict[str, Recipe]:
    """The recipes, those whose windows are known earlier held back to the first window of the latest.

    A companion that was listed late, a longer window or warm-up must not look better or worse by what it has to learn
    from. The members of a consensus have windows of their own: where all variants have the same members, these learn
    from the same in each and are left as they are; else every member of every variant is held back. `only` names those
    that are asked now, empty: all; `there` others that are returned with them. One that is not asked and that cannot be
    trained holds nobody back.
    """
    asked = list(only or recipes)

    def look(name: str, recipe: Recipe) -> dict[str, int]:
        return foresight.look(recipe, trains=name in asked).first_ms

    firsts = _each(recipes, asked, look, tell)
    found = {name: recipes[name] for name in firsts if name in asked or name in there}
    if all(one == next(iter(firsts.values())) for one in firsts.values()):
        return found
    latest = max(max(one.values()) for one in firsts.values())
    for name, recipe in found.items():
        first = min(firsts[name].values())
        if first < latest:
            if name in asked:
                tell(f"{name} could learn from {utc(first)} on, and does from {utc(latest)}, as the others.")
            split = recipe.split.model_copy(update={"samples_from": utc(latest)})
            found[name] = recipe.model_copy(update={"split": split})
    return found


def _each(
    recipes: Mapping[str, Recipe], asked: Collection[str], find: Callable[[str, Recipe], Found], tell: Tell
) -> dict[str, Found]:
    """What `find` finds of each recipe, the first of them the one that is ablated.

    An error names the variant; where it is not asked, it is told and left out instead.
    """
    found, first = {}, next(iter(recipes), "")
    for name, recipe in recipes.items():
        try:
            with naming_variant(name, first):
                found[name] = find(name, recipe)
        except TriptychError as error:
            if name in asked:
                raise
            tell(f"{error.message} It is not asked, and holds nobody back.")
    return found


def _asked(
    recipe: Recipe, only: Collection[str], there: Collection[str], tell: Tell, foresight: Foresight
) -> tuple[dict[str, Recipe], dict[str, str]]:
    """The recipe and the variants that are asked or trained already, by name, and why others could not be asked.

    Raises RecipeError for none.
    """
    recipes = variants_of(recipe)
    first, *variants = recipes
    if not variants:
        raise RecipeError(
            f"{first} names no variants.", remedy="Add a table to the recipe: [[ablation]] with name and changes."
        )
    for name in only:
        if name not in variants:
            raise RecipeError(f"{first} has no variant {name!r}.", remedy=f"Its variants: {', '.join(variants)}.")
    asked = (first, *(only or variants))

    def lacks(_: str, one: Recipe) -> str:
        return lacks_books(one) or lacks_weights(one) or lacks_networks(one)

    lacking = _each(recipes, asked, lacks, tell)
    left_out = {name: why for name, why in lacking.items() if why and (name in asked or name in there)}
    if first in left_out or all(lacking[name] for name in only or lacking if name != first):
        raise RecipeError(
            f"There is nothing to compare: {' '.join(left_out.values())}",
            remedy="Name the recordings of order books beside the candles in data.books.path, the weights in "
            "model.other_markets.path, the networks in features.pattern_networks.folders.",
        )
    for name, why in left_out.items():
        tell(f"{name} is left out: {why}")
    wanted = {name: recipes[name] for name, why in lacking.items() if not why}
    wanted = _each(wanted, asked, lambda _, one: pinned(one), tell)
    return from_one_time_on(wanted, tell, foresight, only=asked if only else (), there=there), left_out


def _places(usual: Mapping[str, Path], fingerprints: Mapping[str, str], home: Path) -> dict[str, Path]:
    """Where each variant lies: in the folder of its number in the recipe, or of another where its very run is.

    A recipe that names its variants in another order, or fewer of them, then finds what was trained before.
    """
    found: dict[str, Path] = {}
    for name, wanted in fingerprints.items():
        free = [one for one in _runs_of(name, home) if one not in found.values() and _fingerprint(one) == wanted]
        if free:
            found[name] = usual[name] if usual[name] in free else free[0]
    number = len(usual)
    for name, place in usual.items():
        if name in found:
            continue
        while place in found.values():
            place, number = home / f"{number}-{_slug(name)}", number + 1
        found[name] = place
    return {name: found[name] for name in usual}


def _runs_of(name: str, home: Path) -> list[Path]:
    """Folders of runs that bear a variant's name, under whatever number."""
    return [one for one in _numbered(home) if one.name.partition("-")[2] == _slug(name)]


def _numbered(home: Path) -> list[Path]:
    """Folders of runs in the folder of an ablation."""
    return sorted(one.parent for one in home.glob(f"*/{RECORD}") if re.match(r"\d+-", one.parent.name))


def _fingerprint(place: Path) -> str:
    with contextlib.suppress(RunError):
        return str(read_json(place / RECORD).get("fingerprint", ""))
    return ""


def _is_trained(fingerprint: str, place: Path) -> bool:
    """As `is_trained`; a damaged record is none of a run that stays, and is refused where it is asked for."""
    with contextlib.suppress(RunError):
        return is_trained(fingerprint, place)
    return False


def _refuse_other(foreseen: Foreseen, place: Path) -> None:
    if place.exists():
        refuse_other(foreseen.recipe, foreseen.data_hash, place)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "variant"

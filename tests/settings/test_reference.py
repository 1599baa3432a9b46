import tomllib
from itertools import pairwise

import pytest

from triptych.settings import annotated_toml, load_recipe, parse_recipe, reference_markdown, shipped_recipes
from triptych.settings.recipe import ENCODINGS, Recipe


def keys(content: dict, path: str = "") -> list[str]:
    found = []
    for name, value in content.items():
        found.append(f"{path}{name}")
        if isinstance(value, dict):
            found += keys(value, f"{path}{name}.")
    return found


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_annotated_recipe_reads_back_equal(name):
    recipe = load_recipe(name)
    assert parse_recipe(tomllib.loads(annotated_toml(recipe))) == recipe


def test_tables_lists_and_odd_names_read_back_equal():
    recipe = load_recipe("demo", ["data.columns={close='La st', 'x y'='\"q\"'}", "data.symbols=['A', 'B|C']"])
    text = annotated_toml(recipe)
    assert parse_recipe(tomllib.loads(text)) == recipe
    assert 'symbols = ["A", "B|C"]' in text


def test_every_key_is_explained_on_the_line_above_it():
    lines = annotated_toml(load_recipe("demo", ["training.epochs=9"])).splitlines()
    assert lines[lines.index("epochs = 9") - 1] == "# Passes over the training windows at most."
    for above, line in pairwise(lines):
        if " = " in line and not line.startswith("#"):
            assert above.startswith("# "), line


def test_empty_keys_are_shown_commented_out():
    assert "\n# stop_loss =\n" in annotated_toml(parse_recipe({}))


def test_the_reference_holds_every_key_of_every_section():
    text = reference_markdown()
    for section in (Recipe().model_dump(), *({"encoding": config().model_dump()} for config in ENCODINGS.values())):
        for key in keys(section):
            name = key.rpartition(".")[2]
            assert f"| `{name}` |" in text or f"[{key}]" in text or f"[{key}]`" in text, key


def test_every_row_of_the_reference_is_one_line_of_four_cells():
    for line in reference_markdown().splitlines():
        assert line == "" or line.startswith(("#", "|")) or line[0].isupper(), line
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 5, line


@pytest.mark.parametrize(
    "row",
    [
        "| `seed` | whole number, ≥ 0, ≤ 2147483647 | `0` | Seed of everything random in training. |",
        '| `name` | `"gasf"` | `"gasf"` | Which encoding draws the window. |',
        "| `symbols` | list of text | `[]` | Instruments to take; empty takes all there are. |",
        "| `timeframe` | text |  | Candles are resampled to this timeframe, such as 1h; empty keeps theirs. |",
        '| `venue` | text | `"local"` | Venue in the store, and the venue that imported candles are said to be from. |',
        "| `repair` | true or false | `false` | Drop rows that break the rules of a candle",
        "| `embargo` | whole number, ≥ 0, ≤ 1000000 | `0` | Candles left out at the start of validation and test",
    ],
)
def test_a_row_shows_kind_limits_default_and_meaning(row):
    assert any(line.startswith(row) for line in reference_markdown().splitlines())

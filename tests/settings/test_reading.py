import pytest

from triptych.domain.errors import RecipeError
from triptych.settings import Recipe, load_recipe, parse_recipe, recipe_text, shipped_recipes
from triptych.settings.recipe import ENCODINGS

REMEDY = "`triptych recipe show` prints every key with its meaning."


def refused(*overrides: str, text: str = "", tmp_path=None) -> str:
    """The message that a recipe or a --set is refused with."""
    source = "demo" if tmp_path is None else str(tmp_path / "mine.toml")
    if tmp_path is not None:
        (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(source, overrides)
    assert caught.value.remedy == REMEDY
    return caught.value.message.removeprefix("demo: ").removeprefix(f"{tmp_path}/mine.toml: ")


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_valid_and_bears_its_name(name):
    assert load_recipe(name).name == name


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epocs=3", "Unknown key 'training.epocs'. Did you mean 'epochs'?"),
        ("trainings.epochs=3", "Unknown key 'trainings'. Did you mean 'training'?"),
        ("backtest.luck.trails=3", "Unknown key 'backtest.luck.trails'. Did you mean 'trials'?"),
        ("data.synthetic.book.level=3", "Unknown key 'data.synthetic.book.level'. Did you mean 'levels'?"),
        ("window.zzz=3", "Unknown key 'window.zzz'. Known keys: length, stride."),
        ("encoding.heigth=40", "Unknown key 'encoding.heigth'. Did you mean 'height'?"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(override, message):
    assert refused(override) == message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs=0", "training.epochs: Input should be greater than or equal to 1 (was 0)."),
        (
            "training.epochs=many",
            "training.epochs: Input should be a valid integer, unable to parse string as an integer (was 'many').",
        ),
        (
            "training.epochs=",
            "training.epochs: Input should be a valid integer, unable to parse string as an integer (was '').",
        ),
        ("training.learning_rate=nan", "training.learning_rate: Input should be a finite number (was nan)."),
        ("target.kind=up", "target.kind: Input should be 'direction' or 'triple_barrier' (was 'up')."),
        ("encoding.height=3", "encoding.height: Input should be greater than or equal to 32 (was 3)."),
        ("data.symbols=BTCUSDT", "data.symbols: Input should be a list (was 'BTCUSDT')."),
        ("data.symbols=['A', 1]", "data.symbols.1: Input should be a valid string (was 1)."),
        ("data.columns=close", "data.columns: Input should be a table (was 'close')."),
        ("training=5", "training: Input should be a section (was 5)."),
        ("encoding=gasf", "encoding: Input should be a section (was 'gasf')."),
        ("split.test=0.5", "split: train + validation + test must be 1, was 1.35."),
        ("data.source=file", "data: source = 'file' needs a path."),
        (
            "data.path=mine.csv",
            "data: path names mine.csv, and source = 'synthetic', which is also what it is where none is named, would "
            "not read it: set source to 'file' or 'store', or for the synthetic market path to ''.",
        ),
        (
            "data.start=yesterday",
            "data.start: 'yesterday' is not a time. Write it like 2023-01-31 or 2023-01-31T09:30 (was 'yesterday').",
        ),
        (
            "data.timeframe=15x",
            "data.timeframe: Unknown timeframe '15x'. Write it like 1m, 5m, 15m, 1h, 4h, 1d or 1w (was '15x').",
        ),
        ("strategy.enter=0.1", "strategy: exit (0.3) must not be above enter (0.1)."),
    ],
)
def test_a_wrong_value_is_named_with_what_it_should_be(override, message):
    assert refused(override, "strategy.exit=0.3") == message


def test_a_union_names_the_key_and_not_its_kinds():
    assert refused("data.synthetic.instruments=x").startswith(
        "data.synthetic.instruments: Input should be a valid integer, unable to parse string as an integer (was 'x'). "
        "data.synthetic.instruments: "
    )


def test_several_mistakes_are_named_at_once(tmp_path):
    text = "[training]\nepochs = 0\nepoch = 3\n[windows]\n[model]\nname = 'efficientnet_b9'\n"
    assert refused(text=text, tmp_path=tmp_path) == (
        "model.name: Unknown model 'efficientnet_b9'. Close names: efficientnet_b7, efficientnet_b6, efficientnet_b5, "
        "efficientnet_b4, efficientnet_b3 (was 'efficientnet_b9'). "
        "training.epochs: Input should be greater than or equal to 1 (was 0). "
        "Unknown key 'training.epoch'. Did you mean 'epochs'? "
        "Unknown key 'windows'. Did you mean 'window'?"
    )


def test_an_unknown_encoding_lists_the_known_ones():
    assert {"candlestick", "gadf", "gasf", "jkx"} < set(ENCODINGS)
    known = f"Known encodings: {', '.join(sorted(ENCODINGS))}."
    assert refused("encoding.name=gas") == f"Unknown encoding 'gas'. {known}"
    assert refused("encoding={height=40}") == f"encoding.name is missing. {known}"


def test_text_that_is_not_toml_is_named_with_its_line(tmp_path):
    (tmp_path / "mine.toml").write_text("name = 'mine'\nseed = = 3\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(tmp_path / "mine.toml"))
    assert caught.value.message == f"{tmp_path}/mine.toml is not TOML: Invalid value (at line 2, column 8)."
    assert caught.value.remedy == "`triptych recipe show` prints a recipe to begin from."


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(tmp_path / "mine.toml"))
    assert str(caught.value) == f"{tmp_path}/mine.toml is not a text file in UTF-8. A recipe is a TOML file."


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbfname = 'mine'\n")
    assert load_recipe(str(tmp_path / "mine.toml")).name == "mine"


def test_an_unknown_recipe_lists_the_shipped_ones():
    with pytest.raises(RecipeError) as caught:
        recipe_text("dmo")
    assert caught.value.message == "There is no recipe 'dmo': neither a file nor a shipped recipe."
    assert caught.value.remedy == f"Shipped recipes: {', '.join(shipped_recipes())}."
    assert {"demo", "chart"} <= set(shipped_recipes())


def test_values_of_set_are_toml_and_bare_words_are_text():
    recipe = load_recipe(
        "demo",
        [
            "training.epochs=3",
            "training.learning_rate = 1e-4",
            "strategy.allow_short=false",
            "data.symbols=['A', \"B\"]",
            "data.columns={close = 'Last = x'}",
            "data.timeframe=1h",
            "data.venue=a=b",
            "name=other",
            "target.threshold='fixed'",
        ],
    )
    assert (recipe.training.epochs, recipe.training.learning_rate) == (3, 1e-4)
    assert recipe.strategy.allow_short is False
    assert recipe.data.symbols == ("A", "B")
    assert recipe.data.columns == {"close": "Last = x"}
    assert (recipe.data.timeframe, recipe.data.venue, recipe.name) == ("1h", "a=b", "other")
    assert recipe.target.threshold == "fixed"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2021-06-30", "2021-06-30"),
        ("2021-06-30T12:00:00", "2021-06-30T12:00:00"),
        ("'2021-06-30'", "2021-06-30"),
        ("2021-06-30T12:00", "2021-06-30T12:00"),
    ],
)
def test_times_may_be_written_with_or_without_quotes(written, read):
    assert load_recipe("demo", [f"data.start={written}"]).data.start == read


def test_later_settings_win_and_changes_come_last():
    assert load_recipe("demo", ["seed=1", "seed=2"]).seed == 2
    assert load_recipe("demo", ["seed=1"], {"seed": 5, "data.synthetic.seed": 6}).seed == 5


@pytest.mark.parametrize(
    "override", ["training.epochs", "=3", "training..epochs=3", ".seed=3", "seed.=3", "", 'tune."x=1', 'a."b"c=1']
)
def test_a_malformed_set_says_how_to_write_it(override):
    with pytest.raises(RecipeError) as caught:
        load_recipe("demo", [override])
    assert caught.value.message == f"Cannot read --set {override!r}."
    assert caught.value.remedy == "Write it as key=value: training.epochs=3."


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_part_of_a_key_in_quotes_may_hold_dots_blanks_and_equal_signs(quote):
    recipe = load_recipe(
        "demo", [f"tune.space.{quote}model.width{quote}=[0.5, 1]", f" data.columns . {quote}a b=c.d{quote} = close"]
    )
    assert recipe.tune.space["model.width"].choices == (0.5, 1)
    assert recipe.data.columns == {"a b=c.d": "close"}


def test_a_value_is_no_section():
    assert refused("name.first=x") == "Cannot set 'name.first': 'name' is a value, not a section."


def test_one_set_cannot_smuggle_in_a_second_key():
    assert "(was '3\\nseed = 9')" in refused("training.epochs=3\nseed = 9")


def test_another_encoding_leaves_the_options_of_the_old_one_behind():
    recipe = load_recipe("demo", ["encoding.size=20", "encoding.name=gasf"])
    assert load_recipe("demo").encoding.name == "candlestick"
    assert (recipe.encoding.name, recipe.encoding.size) == ("gasf", 20)


def test_naming_the_same_encoding_again_keeps_its_options():
    assert load_recipe("demo", ["encoding.name=candlestick"]) == load_recipe("demo")


def test_an_empty_recipe_is_all_defaults():
    assert parse_recipe({}) == Recipe()


def test_the_content_given_to_parse_is_not_changed():
    content = {"training": {"epochs": 3}}
    assert parse_recipe(content).training.epochs == 3
    assert content == {"training": {"epochs": 3}}


def test_a_recipe_of_a_file_is_taken_back_to_the_embedded_market_by_an_empty_path(tmp_path):
    (tmp_path / "mine.toml").write_text("[data]\nsource = 'file'\npath = 'mine.csv'\n")
    recipe = load_recipe(str(tmp_path / "mine.toml"), ["data.source=synthetic", "data.path="])
    assert (recipe.data.source, recipe.data.path) == ("synthetic", None)
    (tmp_path / "trap.toml").write_text("[data]\npath = 'mine.csv'\n")
    with pytest.raises(RecipeError, match=r"path names mine\.csv, and source = 'synthetic'"):
        load_recipe(str(tmp_path / "trap.toml"))

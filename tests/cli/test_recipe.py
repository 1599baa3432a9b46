import tomllib

from triptych.settings import load_recipe, parse_recipe, shipped_recipes


def test_the_shipped_recipes_are_listed_with_a_line_each(run_command):
    lines = run_command("recipe", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped_recipes())
    assert all(len(line.split()) > 4 for line in lines)
    assert all(line[-1] in ".?!:)`" for line in lines), "a sentence that is cut off"


def test_show_prints_the_whole_recipe_ready_to_be_used(run_command):
    said = run_command("recipe", "show", "demo", "--set", "training.epochs=3")
    assert (said.status, said.err) == (0, "")
    assert parse_recipe(tomllib.loads(said.out)) == load_recipe("demo", ["training.epochs=3"])


def test_show_without_a_name_prints_the_defaults(run_command):
    assert parse_recipe(tomllib.loads(run_command("recipe", "show").out)) == parse_recipe({})


def test_show_can_write_a_file_to_begin_from(tmp_path, run_command):
    said = run_command("recipe", "show", "demo", "--out", tmp_path / "mine.toml")
    assert said.out == f"Recipe: {tmp_path / 'mine.toml'}\n"
    assert load_recipe(str(tmp_path / "mine.toml")) == load_recipe("demo")


def test_an_unknown_recipe_is_refused(run_command):
    said = run_command("recipe", "show", "dmo")
    assert (said.status, said.out) == (2, "")
    assert said.error == (
        "Error: There is no recipe 'dmo': neither a file nor a shipped recipe. "
        f"What to do: Shipped recipes: {', '.join(shipped_recipes())}."
    )

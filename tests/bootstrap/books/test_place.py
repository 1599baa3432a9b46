import pytest

from triptych.bootstrap.books.place import make_room
from triptych.domain.errors import RunError


def test_a_fresh_run_removes_the_run_that_is_there_and_nothing_that_lies_beside_it(tmp_path):
    home = tmp_path / "run"
    make_room(home, "one", fresh=False)
    for name in ("artifact", "training-0", "notes"):
        (home / name).mkdir()
        (home / name / "file").write_text("x")
    (home / "books.json").write_text("{}")
    make_room(home, "two", fresh=True)
    assert sorted(one.name for one in home.iterdir()) == ["begun.json", "notes"]
    make_room(home, "two", fresh=False)  # goes on


def test_a_training_of_another_recipe_is_never_gone_on_with(tmp_path):
    make_room(tmp_path / "run", "one", fresh=False)
    (tmp_path / "run" / "training-0").mkdir()
    with pytest.raises(RunError) as caught:
        make_room(tmp_path / "run", "two", fresh=False)
    assert str(caught.value) == (
        f"{tmp_path / 'run'} holds another run. Choose another folder, or replace it with --fresh."
    )


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path, fresh):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError) as caught:
        make_room(tmp_path, "one", fresh=fresh)
    assert str(caught.value) == f"{tmp_path} is there and holds no run on order books. Choose a new or an empty folder."
    assert (tmp_path / "thesis.txt").read_text() == "years of work"

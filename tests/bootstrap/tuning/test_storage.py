import optuna
import pytest
from tests.fakes.postgres import postgres_binaries, postgres_server
from tests.fakes.tuning import search_recipe

from triptych import bootstrap
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.tuning import study as study_module
from triptych.bootstrap.tuning.storage import JOURNAL, masked, open_storage
from triptych.bootstrap.tuning.study import Place, Worker, bury_dead, create_study
from triptych.domain.errors import RunError, StorageError


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("psycopg")
    if postgres_binaries() is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    with postgres_server() as url:
        yield url


def test_a_search_keeps_its_trials_in_postgresql_and_goes_on_there(server, tmp_path):
    recipe = search_recipe(tmp_path, trials=2)
    first = bootstrap.tune(recipe, folder=tmp_path / "search", storage=server, refits=False).results
    assert len(first["leaderboard"]) == 2
    assert not (tmp_path / "search" / JOURNAL).exists()
    names = optuna.get_all_study_names(open_storage(tmp_path, server))
    assert names == ["triptych search"]
    more = search_recipe(tmp_path, trials=3)
    second = bootstrap.tune(more, folder=tmp_path / "search", storage=server, refits=False).results
    assert len(second["leaderboard"]) == 3
    assert [row for row in second["leaderboard"] if row["trial"] < 2] == [
        row for row in first["leaderboard"] if row["trial"] < 2
    ]


def test_a_study_of_another_recipe_in_the_database_is_refused(server, tmp_path):
    recipe = search_recipe(tmp_path)
    place = Place(folder=tmp_path / "other", recipe=recipe, data_hash="a", url=server)
    create_study(place)
    elsewhere = Place(folder=tmp_path / "elsewhere" / "other", recipe=recipe, data_hash="b", url=server)
    with pytest.raises(RunError) as caught:
        create_study(elsewhere)
    assert str(caught.value) == (
        "The study triptych other belongs to another search: candles differs. Choose another --out "
        "for a search of its own, or "
        "repeat the command that began this one."
    )


def test_a_worker_of_another_machine_counts_as_dead_when_it_gives_no_sign_of_life(server, tmp_path, monkeypatch):
    recipe = search_recipe(tmp_path)
    place = Place(folder=tmp_path / "far", recipe=recipe, data_hash=load_candles(recipe).hash, url=server)
    study = create_study(place)
    worker = Worker(place)  # its lock lies on another machine
    trial = study.ask()
    worker.claim(trial)
    monkeypatch.setattr(study_module, "BEAT_S", 0.01)
    with worker.beating(trial):
        assert bury_dead(study, place) == 0
    monkeypatch.setattr(study_module, "STALE_S", -1.0)
    assert bury_dead(study, place) == 1
    assert study.get_trials()[trial.number].state == optuna.trial.TrialState.FAIL


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path):
    pytest.importorskip("psycopg")
    url = "postgresql://me:secret@127.0.0.1:1/studies?connect_timeout=1"
    with pytest.raises(StorageError) as caught:
        open_storage(tmp_path, url)
    assert "postgresql+psycopg://me:***@127.0.0.1:1/studies" in masked(
        url.replace("postgresql:", "postgresql+psycopg:")
    )
    assert "secret" not in str(caught.value)
    assert caught.value.message.startswith(
        "The trials could not be read or written at postgresql://me:***@127.0.0.1:1/"
    )
    assert caught.value.remedy == "Check that the database runs and that the URL names its host, port, user and name."


def test_a_journal_whose_last_line_is_torn_is_mended(tmp_path):
    study = optuna.create_study(storage=open_storage(tmp_path, None), study_name="one")
    study.set_user_attr("a", 1)
    journal = tmp_path / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 2, "wor')
    again = optuna.load_study(storage=open_storage(tmp_path, None), study_name="one")
    again.set_user_attr("b", 2)
    assert optuna.load_study(storage=open_storage(tmp_path, None), study_name="one").user_attrs == {"a": 1, "b": 2}
    assert journal.read_bytes().startswith(whole)

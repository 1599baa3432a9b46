import pytest

from triptych.domain.errors import StorageError
from triptych.live.journal import Switch, SwitchMarker, SwitchSet

SAID = SwitchSet(switch=Switch.KILLED, by="anna", reason="smoke")


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "triptych"


def test_it_lies_beside_the_journal_and_is_of_one_instance(tmp_path):
    marker = SwitchMarker.of(tmp_path / "live.db", "house/1")
    assert marker.kept() is None
    assert marker.keep(SAID) == tmp_path / "live.db-house%2F1.switch"
    assert SwitchMarker.of(tmp_path / "live.db", "house/1").kept() == SAID
    assert SwitchMarker.of(tmp_path / "live.db", "house/2").kept() is None
    marker.forget()
    assert marker.kept() is None


def test_an_empty_file_is_a_kill(tmp_path):
    marker = SwitchMarker.of(tmp_path / "live.db", "house")
    marker.paths[0].write_bytes(b"")
    assert marker.kept().switch is Switch.KILLED


def test_a_folder_that_cannot_be_written_leaves_the_state_folder(tmp_path, state):
    (tmp_path / "file").write_text("no folder")
    marker = SwitchMarker.of(tmp_path / "file" / "live.db", "house")
    assert marker.keep(SAID).parent == state
    assert marker.kept() == SAID


def test_of_a_server_it_lies_in_the_state_folder_and_shows_no_password(state):
    marker = SwitchMarker.of("postgresql+psycopg://me:sesame@db/house", "house")
    path = marker.keep(SAID)
    assert path.parent == state
    assert "sesame" not in path.name


def test_where_no_place_takes_it_that_is_said(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="The switch at killed could not be kept beside the journal: "):
        SwitchMarker([tmp_path / "file" / "a"]).keep(SAID)

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


def test_one_database_written_otherwise_is_the_same_place(tmp_path, monkeypatch):
    written = [
        "postgresql+psycopg://me:sesame@localhost/house",
        "postgresql://me@127.0.0.1:5432/house",
        "postgresql+psycopg://you@/house?host=/var/run/postgresql&connect_timeout=3",
        "postgresql+psycopg://you@LOCALHOST/house",
    ]
    SwitchMarker.of(written[0], "house").keep(SAID)
    assert [SwitchMarker.of(one, "house").kept() for one in written] == [SAID] * 4
    for other in (
        "postgresql://me@localhost:5433/house",
        "postgresql://me@db/house",
        "postgresql://me@localhost/mouse",
    ):
        assert SwitchMarker.of(other, "house").kept() is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to("live.db")
    SwitchMarker.of(tmp_path / "live.db", "house").keep(SAID)
    for same in ("live.db", "link.db", "sqlite:///live.db", f"sqlite+pysqlite:///{tmp_path}/live.db?timeout=3"):
        assert SwitchMarker.of(same, "house").kept() == SAID


def test_what_a_shell_writes_a_service_with_a_folder_of_its_own_finds(tmp_path, monkeypatch):
    url = "postgresql+psycopg://me@db/house"
    written = SwitchMarker.of(url, "house").keep_everywhere(SAID)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "service"))
    service = SwitchMarker.of(url, "house")
    assert service.kept() == SAID
    assert service.keep(SAID).parent == tmp_path / "service"
    service.forget()
    assert service.kept() is None
    assert not any(path.exists() for path in written)

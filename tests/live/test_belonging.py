import pytest

from triptych.domain.errors import JournalError
from triptych.live.belonging import PAPER, require_account, take_possession
from triptych.live.journal import AccountNamed, Journal, NoteWritten

REAL = AccountNamed(world="real", account="4711")


@pytest.fixture
def journal(tmp_path):
    journal = Journal.open(tmp_path / "j.db", "house", owner="test")
    journal.lease.acquire()
    yield journal
    journal.close()


def told(journal, here):
    said = []
    take_possession(journal, here, said.append)
    return said


def test_the_first_entry_of_a_new_journal_says_whose_it_is(journal):
    assert told(journal, REAL) == []
    assert [entry.record for entry in journal.entries()] == [REAL]
    assert told(journal, REAL) == []
    assert journal.newest() == 1


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (PAPER, "paper"),
        (AccountNamed(world="simulated", account="1"), "the simulated exchange, account 1"),
        (AccountNamed(world="demo"), "demo"),
        (AccountNamed(world="real", account="4712"), "real money, account 4712"),
    ],
)
def test_another_world_or_another_account_is_refused(journal, here, words):
    told(journal, REAL)
    for look in (require_account, told):
        with pytest.raises(JournalError) as caught:
            look(journal, here)
        assert caught.value.message == (
            f"The journal {journal.place} of 'house' is of real money, account 4711, and this start is on {words}."
        )
    assert journal.newest() == 1


def test_a_journal_that_names_no_account_is_taken_over_once_with_a_note(journal):
    journal.append(NoteWritten(topic="old", text="written by an older version"))
    words = "the journal named no account; from now on it is of real money, account 4711"
    assert told(journal, REAL) == [words]
    assert [e.record for e in journal.entries(after=1)] == [REAL, NoteWritten(topic="account", text=words)]
    assert told(journal, REAL) == []


def test_where_the_venue_tells_no_number_its_world_has_to_do(journal):
    told(journal, AccountNamed(world="demo"))
    assert told(journal, AccountNamed(world="demo", account="7")) == []
    with pytest.raises(JournalError, match="is of demo, and this start is on testnet, account 7"):
        require_account(journal, AccountNamed(world="testnet", account="7"))
    assert [entry.record for entry in journal.entries()] == [AccountNamed(world="demo")]

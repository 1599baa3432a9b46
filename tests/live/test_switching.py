import pytest

from triptych.domain.errors import LeaseError
from triptych.live.journal import Journal, Switch, SwitchSet
from triptych.live.switching import KeptSwitch

KILL = SwitchSet(switch=Switch.KILLED, by="anna", reason="smoke")
RUN = SwitchSet(switch=Switch.RUN, by="anna", reason="mended")


class Kept:
    """A switch on a journal that can be full."""

    def __init__(self, path):
        self.journal = Journal.open(path, "house", owner="test")
        self.journal.lease.acquire()
        self.is_full, self.aside, self.said = False, [], []
        self.switch = KeptSwitch(self.journal, write=self.write, note=self.said.append)

    def write(self, *records):
        self.aside += records
        if not self.is_full:
            self.journal.append(*self.aside)
            self.switch.written(self.aside)
            self.aside = []


@pytest.fixture
def kept(tmp_path):
    found = Kept(tmp_path / "live.db")
    yield found
    found.journal.close()


def test_what_the_journal_holds_lies_nowhere_else(kept):
    kept.switch.set(KILL)
    assert kept.journal.switch() == KILL
    assert kept.switch.beside is None


def test_a_kill_set_back_while_the_journal_is_full_stays_set_back_for_now_and_counts_after_a_crash(kept):
    kept.is_full = True
    kept.switch.set(KILL)
    kept.switch.set(RUN)
    assert kept.switch.asked(Switch.RUN) is None
    assert KeptSwitch(kept.journal, write=kept.write, note=print).read() == KILL  # the careful one of the two


def test_once_the_journal_is_written_again_a_kill_in_the_same_words_is_a_new_one(kept):
    kept.is_full = True
    kept.switch.set(KILL)
    kept.switch.set(RUN)
    kept.is_full = False
    kept.write()
    assert kept.journal.switch() == RUN
    assert kept.switch.beside is None
    kept.journal.marker.keep(KILL)
    assert kept.switch.asked(Switch.RUN) == KILL
    assert kept.switch.asked(Switch.KILLED) is None


def test_a_session_that_has_lost_the_right_to_write_leaves_nothing_beside_the_journal(kept):
    kept.journal.lease.token += 1
    with pytest.raises(LeaseError):
        kept.switch.set(KILL)
    assert kept.switch.beside is None


def test_where_no_place_takes_it_that_is_said_and_the_journal_is_tried(kept, tmp_path):
    (tmp_path / "file").write_text("no folder")
    kept.journal.marker.paths = (tmp_path / "file" / "a",)
    kept.switch.set(KILL)
    assert kept.said[0].startswith("The switch at killed could not be kept beside the journal: ")
    assert kept.journal.switch() == KILL

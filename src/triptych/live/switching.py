"""The switch where it must not be forgotten: in the journal, and in the file beside it for as long as that lacks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from triptych.domain.errors import LeaseError, StorageError
from triptych.live.journal import Journal, Record, Switch, SwitchSet


class KeptSwitch:
    """The switch of one trading instance, as its disk knows it."""

    def __init__(self, journal: Journal, *, write: Callable[[Record], None], note: Callable[[str], None]) -> None:
        """Keep it in `journal` and its marker.

        Args:
            journal: of the instance.
            write: a record into the journal, or aside while it cannot be written.
            note: told in words when no place takes the switch.
        """
        self._journal, self._write, self._note = journal, write, note
        self._overruled: SwitchSet | None = None

    def set(self, said: SwitchSet) -> None:
        """Write what the house allows itself. While the journal cannot hold it, the file beside it does, written first.

        Raises LeaseError when the right to write is lost; nothing is kept then.
        """
        marker, self._overruled = self._journal.marker, self.beside
        if marker is not None and said.switch is not Switch.RUN:
            try:
                marker.keep(said)
            except StorageError as error:
                self._note(error.message)
        try:
            self._write(said)
        except LeaseError:
            if marker is not None:
                marker.forget()
            raise

    def read(self) -> SwitchSet | None:
        """What the house allows itself since somebody last said so; what only the file knew is written.

        Raises JournalError when the journal cannot be read.
        """
        said, kept = self._journal.switch(), self.beside
        if kept is None:
            return said
        self._write(kept)
        return kept

    def asked(self, now: Switch) -> SwitchSet | None:
        """What somebody else has written into the file since, if it is more cautious than `now`."""
        kept, order = self.beside, list(Switch)
        if kept is None or kept == self._overruled or order.index(kept.switch) <= order.index(now):
            return None
        return kept

    @property
    def beside(self) -> SwitchSet | None:
        """What the file beside the journal says; None where there is none."""
        return self._journal.marker.kept() if self._journal.marker is not None else None

    def written(self, records: Sequence[Record]) -> None:
        """The journal holds these now."""
        if self._journal.marker is not None and any(isinstance(one, SwitchSet) for one in records):
            heard = [one for one in (*records, self._overruled) if isinstance(one, SwitchSet)]
            self._journal.marker.forget(*heard)
            self._overruled = None

"""A switch that somebody without the right to write has set: a row beside the entries, in the journal's own database.

Whoever reaches the database is heard by the session that trades on it, from whichever machine, folder or service. The
session looks every second and enters it into its journal; then the row goes. It is no entry: those take the lease.
"""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import ValidationError

from triptych.live.journal.database import meta
from triptych.live.journal.lease import refused
from triptych.live.journal.records import Switch, SwitchSet, decode, encode

UNREADABLE = SwitchSet(switch=Switch.KILLED, by="an earlier process", reason="its words in the database cannot be read")


class SwitchRow:
    """The row of one trading instance. Every method raises JournalError when the database refuses."""

    def __init__(self, database: sa.Engine, name: str) -> None:
        self._database, self._of = database, f"switch of {name}"

    def keep(self, said: SwitchSet) -> None:
        """Write it, instead of what is there."""
        _, body = encode(said)
        try:
            with self._database.begin() as connection:
                connection.execute(meta.delete().where(meta.c.name == self._of))
                connection.execute(meta.insert().values(name=self._of, value=body))
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

    def kept(self) -> SwitchSet | None:
        """What is written; None where nothing is. Words that cannot be understood are a kill."""
        try:
            with self._database.connect() as connection:
                body = connection.execute(sa.select(meta.c.value).where(meta.c.name == self._of)).scalar()
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error
        if body is None:
            return None
        try:
            said = decode(SwitchSet.__name__, body)
        except ValidationError:
            return UNREADABLE
        return said if isinstance(said, SwitchSet) else UNREADABLE

    def forget(self, said: SwitchSet) -> None:
        """The journal holds `said`: the row goes, unless it says something else by now."""
        try:
            with self._database.begin() as connection:
                is_it = (meta.c.name == self._of) & (meta.c.value == encode(said)[1])
                connection.execute(meta.delete().where(is_it))
        except sa.exc.SQLAlchemyError as error:
            raise refused(error) from error

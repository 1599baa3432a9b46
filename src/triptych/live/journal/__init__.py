"""What must not be forgotten: an append-only journal in a database, with one writer at a time."""

from triptych.live.journal.database import place_of
from triptych.live.journal.journal import Entry, Journal, read_row
from triptych.live.journal.lease import Lease, LeaseView
from triptych.live.journal.lockouts import keep_lockout, kept_lockout
from triptych.live.journal.marker import SwitchMarker
from triptych.live.journal.records import (
    EVENTS,
    AccountNamed,
    Cause,
    NoteWritten,
    OrderAnswered,
    Record,
    StepRecorded,
    Switch,
    SwitchSet,
)
from triptych.live.journal.switch_row import SwitchRow

__all__ = [
    "EVENTS",
    "AccountNamed",
    "Cause",
    "Entry",
    "Journal",
    "Lease",
    "LeaseView",
    "NoteWritten",
    "OrderAnswered",
    "Record",
    "StepRecorded",
    "Switch",
    "SwitchMarker",
    "SwitchRow",
    "SwitchSet",
    "keep_lockout",
    "kept_lockout",
    "place_of",
    "read_row",
]

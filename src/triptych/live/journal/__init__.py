"""What must not be forgotten: an append-only journal in a database, with one writer at a time."""

from triptych.live.journal.journal import Entry, Journal, read_row
from triptych.live.journal.lease import Lease, LeaseView
from triptych.live.journal.records import (
    EVENTS,
    Cause,
    NoteWritten,
    OrderAnswered,
    Record,
    StepRecorded,
    Switch,
    SwitchSet,
)

__all__ = [
    "EVENTS",
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
    "SwitchSet",
    "read_row",
]

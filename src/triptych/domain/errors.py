"""The error tree: every failure a user can mend is a `TriptychError` that says what, where and what to do.

    TriptychError
    ├── DataError              the candles, files or frames a user brought
    │   ├── ColumnError        a column is missing or cannot be recognised
    │   ├── CandleError        a row breaks the rules of a candle (NaN, high below low, disorder)
    │   └── NotEnoughData      too few candles for the window, the target or the split
    ├── RecipeError            an unknown key, a value out of range, parts that do not fit
    ├── ArtifactError          a saved model is missing, damaged or made by an incompatible version
    ├── RunError               a run folder is missing, unfinished or belongs to another recipe
    ├── StorageError           the disk refused (full, read-only, no permission)
    ├── OrderError             an order or an instrument rule that cannot be honoured
    ├── ExchangeError          a venue refuses, cannot be reached, or says what cannot be understood
    ├── JournalError           the journal of live trading cannot be opened, read or written
    │   └── LeaseError         another instance holds, or has taken, the right to write
    └── PeekingError           something used candles that were not closed yet

The command line turns any of them into one clear message and exit status 2.
"""

from __future__ import annotations


class TriptychError(Exception):
    """Base of all errors that a user can mend. `remedy` says how."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class DataError(TriptychError):
    """The data a user brought cannot be used as it is."""


class ColumnError(DataError):
    """A column is missing, or its role cannot be recognised."""


class CandleError(DataError):
    """A row breaks the rules of a candle."""


class NotEnoughData(DataError):
    """There are too few candles for what was asked."""


class RecipeError(TriptychError):
    """A recipe is not valid."""


class ArtifactError(TriptychError):
    """A saved model cannot be loaded."""


class RunError(TriptychError):
    """A run folder cannot be used."""


class StorageError(TriptychError):
    """The disk refused to read or write."""


class OrderError(TriptychError):
    """An order breaks the rules of its instrument or venue."""


class ExchangeError(TriptychError):
    """A venue refuses, cannot be reached, or says what cannot be understood."""


class JournalError(TriptychError):
    """The journal of live trading cannot be opened, read or written: nothing may be traded."""


class LeaseError(JournalError):
    """Another instance holds the right to write, or has taken it: this one must stop."""


class PeekingError(TriptychError):
    """A value at time t depends on candles that closed after t."""

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
    │   ├── ProtocolError      a message of the venue breaks its own protocol: field and payload are named
    │   ├── AuthenticationRefused   key, signature or permission: stop
    │   ├── ClockRefused       our clock and the venue's are too far apart
    │   ├── RateLimited        too many requests; `retry_after_ms` says how long to wait
    │   ├── Banned             the venue has locked the account or the address out: stop
    │   ├── OutcomeUnknown     nobody can tell whether the request was carried out: ask, do not repeat blindly
    │   ├── OrderNotFound      the venue knows no such open order
    │   ├── InsufficientFunds  margin or balance does not suffice
    │   ├── ReduceOnlyRefused  a reduce-only order would not reduce
    │   ├── DuplicateOrderId   the venue has an order under this id already
    │   └── BelowMinimum       smaller than the venue's minimum notional
    ├── JournalError           the journal of live trading cannot be opened, read or written
    │   ├── NoJournal          there is none where it was looked for
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
    """A venue refuses, cannot be reached, or says what cannot be understood. `code` is the venue's, if it gave one."""

    def __init__(self, message: str, *, remedy: str = "", code: int | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class ProtocolError(ExchangeError):
    """A message of the venue breaks its own protocol."""


class AuthenticationRefused(ExchangeError):
    """Key, signature or permission was refused: nothing more may be sent under this key."""


class ClockRefused(ExchangeError):
    """Our clock and the venue's are too far apart for a signed request."""


class RateLimited(ExchangeError):
    """Too many requests. `retry_after_ms`: how long to send nothing, 0 when the venue did not say."""

    def __init__(self, message: str, *, remedy: str = "", code: int | None = None, retry_after_ms: int = 0) -> None:
        super().__init__(message, remedy=remedy, code=code)
        self.retry_after_ms = retry_after_ms


class Banned(ExchangeError):
    """The venue has locked the account or the address out: stop."""


class OutcomeUnknown(ExchangeError):
    """Nobody can tell whether the request was carried out."""


class OrderNotFound(ExchangeError):
    """The venue knows no such open order."""


class InsufficientFunds(ExchangeError):
    """Margin or balance does not suffice."""


class ReduceOnlyRefused(ExchangeError):
    """A reduce-only order would not reduce a position."""


class DuplicateOrderId(ExchangeError):
    """The venue has an order under this id already: the earlier request arrived."""


class BelowMinimum(ExchangeError):
    """The order is smaller than the venue's minimum notional."""


class JournalError(TriptychError):
    """The journal of live trading cannot be opened, read or written: nothing may be traded."""


class NoJournal(JournalError):
    """There is no journal where one was to be read: no file, or a database without its tables."""


class LeaseError(JournalError):
    """Another instance holds the right to write, or has taken it: this one must stop."""


class PeekingError(TriptychError):
    """A value at time t depends on candles that closed after t."""

"""What the venue's return codes mean to us: nothing wrong, or one of our errors."""

from __future__ import annotations

from typing import Final

from triptych.domain.errors import (
    AuthenticationRefused,
    Banned,
    BelowMinimum,
    ClockRefused,
    DuplicateOrderId,
    ExchangeError,
    InsufficientFunds,
    OrderNotFound,
    OutcomeUnknown,
    RateLimited,
    ReduceOnlyRefused,
)

OK: Final = 0
NOT_MODIFIED: Final = frozenset({34040, 110025, 110026, 110043})
"""The venue already is as we asked it to be: a success."""

_KEY = "Check the API key, its secret, its permissions and the addresses it may be used from; nothing more was sent."
_CLOCK = "Set the machine's clock (NTP)."
_WAIT = "Wait; fewer instruments, or fewer requests of one instrument, keep below the limit."
_ASK = "Ask the venue what became of it before anything is sent again."

_MEANINGS: Final[dict[int, tuple[type[ExchangeError], str]]] = {
    10002: (ClockRefused, _CLOCK),
    10003: (AuthenticationRefused, _KEY),
    10004: (AuthenticationRefused, _KEY),
    10005: (AuthenticationRefused, _KEY),
    10007: (AuthenticationRefused, _KEY),
    10009: (Banned, "The address is locked out; ask the venue."),
    10010: (AuthenticationRefused, _KEY),
    33004: (AuthenticationRefused, "The API key has expired; make a new one."),
    10006: (RateLimited, _WAIT),
    10018: (RateLimited, _WAIT),
    10429: (RateLimited, _WAIT),
    20003: (RateLimited, _WAIT),
    10000: (OutcomeUnknown, _ASK),
    10016: (OutcomeUnknown, _ASK),
    10019: (OutcomeUnknown, _ASK),
    10024: (Banned, "The venue does not serve this account here; ask the venue."),
    10027: (Banned, "Trading is locked for this account; ask the venue."),
    110001: (OrderNotFound, "It may be filled or withdrawn already: look at the order's history."),
    170213: (OrderNotFound, "It may be filled or withdrawn already: look at the order's history."),
    110007: (InsufficientFunds, "Lower the exposure or bring more capital."),
    110012: (InsufficientFunds, "Lower the exposure or bring more capital."),
    170131: (InsufficientFunds, "Lower the exposure or bring more capital."),
    110017: (ReduceOnlyRefused, "The position is smaller than thought: reconcile."),
    110072: (DuplicateOrderId, "Ask for the order by its id; it is there already."),
    170141: (DuplicateOrderId, "Ask for the order by its id; it is there already."),
    110094: (BelowMinimum, "Raise the quantity or leave the order out."),
    170140: (BelowMinimum, "Raise the quantity or leave the order out."),
}


def is_about_rules(error: ExchangeError) -> bool:
    """Whether a refusal may mean that rules, status or position mode are not what they were.

    The venue has many codes for that (10001, 110003, 110013, 110023, 110074 ...), and uses the first for nearly
    everything: so it is every refusal that has a code and no other meaning here.
    """
    return error.code is not None and type(error) in (ExchangeError, BelowMinimum)


def error_of(code: int, text: str, request: str) -> ExchangeError | None:
    """The error that a return code stands for; None for success and for "not modified".

    A code without meaning here is a plain refusal, an ExchangeError: the venue answered, so nothing was carried out.
    """
    if code == OK or code in NOT_MODIFIED:
        return None
    kind, remedy = _MEANINGS.get(code, (ExchangeError, "See the venue's list of error codes."))
    return kind(f"Bybit refused {request}: {text or 'no reason given'} (code {code}).", remedy=remedy, code=code)

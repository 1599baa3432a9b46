"""What can be made to go wrong: set by tests through `BybitServer.faults`, from outside by POST /triptych/faults."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from triptych import domain

FaultKind = Literal[
    "lose_request",
    "lose_reply",
    "hang",
    "delay",
    "refuse",
    "http_status",
    "rate_limit",
    "maintenance",
    "reject_later",
    "reject_rest",
]
RATE_LIMIT: Final = 10006
MAINTENANCE: Final = 10016


class RestFault(domain.Config):
    """What happens to the next requests of one path.

    lose_request: the connection is cut before anything is done; lose_reply: after it was done; hang: nothing is done,
    and the connection stays open without a word, as behind a dead router; delay: it is answered late; refuse: with a
    return code; http_status: with a bare status; rate_limit: with 10006, and in the header the time from which on it
    may be asked again; maintenance: with 10016; reject_later: an order is accepted and then rejected on the stream;
    reject_rest: what the book does not give of an order makes it `Rejected`, although a part of it was filled.
    """

    kind: FaultKind = Field(description="What goes wrong.")
    path: str = Field(default="/", description="Beginning of the paths that it happens to.")
    times: int = Field(default=1, ge=1, description="To how many requests it happens.")
    seconds: float = Field(
        default=0.0, ge=0, le=600, description="Length of a delay; of `rate_limit`, until the reset."
    )
    code: int = Field(default=0, description="Return code of `refuse`, status of `http_status`.")


class StreamFaults(domain.Config):
    """What happens to messages of the streams: each is a probability, drawn with the server's seed."""

    lose: float = Field(default=0.0, ge=0, le=1, description="Share of messages that never arrive.")
    double: float = Field(default=0.0, ge=0, le=1, description="Share of messages that arrive twice.")
    swap: float = Field(default=0.0, ge=0, le=1, description="Share of messages that arrive after the one behind them.")
    delay_s: float = Field(default=0.0, ge=0, le=60, description="Every message arrives so much later.")
    topics: tuple[str, ...] = Field(
        default=(), description="Beginnings of the topics that it happens to; none: all of them."
    )


class Faults:
    """The faults that are set now.

    Attributes:
        stream: what happens to messages.
        clock_skew_ms: how much the server's clock is ahead.
        maintenance: every request is answered with 10016, and no new stream is accepted.
    """

    def __init__(self) -> None:
        self.stream = StreamFaults()
        self.clock_skew_ms = 0
        self.maintenance = False
        self._rest: list[tuple[RestFault, int]] = []

    def add(self, fault: RestFault) -> None:
        """Arm a fault; those of one path happen in the order in which they were armed."""
        self._rest.append((fault, fault.times))

    def clear(self) -> None:
        """Everything works again."""
        self.stream, self.clock_skew_ms, self.maintenance = StreamFaults(), 0, False
        self._rest.clear()

    def next_for(self, path: str) -> RestFault | None:
        """The fault that happens to this request; it is used up by one."""
        for position, (fault, left) in enumerate(self._rest):
            if path.startswith(fault.path):
                if left > 1:
                    self._rest[position] = (fault, left - 1)
                else:
                    del self._rest[position]
                return fault
        return None

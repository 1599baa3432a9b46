"""The interface of every venue: commands in, events out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from triptych.domain import Command, ExchangeEvent


class AbstractExchange(ABC):
    """A place that takes orders. What happened to them comes back as events, in the order in which it happened."""

    @abstractmethod
    def submit(self, command: Command) -> Sequence[ExchangeEvent]:
        """Send an order, a cancellation or a stop that moves.

        Returns what is known at once (a rejection, say). Fills come later, through the venue's own stream of events.
        """

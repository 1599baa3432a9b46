"""What a journal tells: orders from their decision to their end, decisions, equity, differences."""

from triptych.dashboard.story.orders import OrderLife, Orders, Phase
from triptych.dashboard.story.story import Decided, Moment, Story, Told

__all__ = ["Decided", "Moment", "OrderLife", "Orders", "Phase", "Story", "Told"]

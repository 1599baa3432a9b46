"""Failover between models: who predicts when the best one cannot."""

from triptych.live.failover.ladder import Config, Ladder, Outcome
from triptych.live.failover.level import Answer, Level

__all__ = ["Answer", "Config", "Ladder", "Level", "Outcome"]

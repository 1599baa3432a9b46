"""Several questions to one network: targets, losses and judgement of what is asked beside the direction."""

from triptych.training.tasks.config import Config

__all__ = ["Config"]

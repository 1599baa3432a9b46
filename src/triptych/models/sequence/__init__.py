"""Networks that read windows as sequences: xLSTM in several forms, and LSTM, GRU and TCN to compare with."""

from triptych.models.sequence.build import build_sequence_network
from triptych.models.sequence.config import Config
from triptych.models.sequence.network import SequenceNetwork, stack_config
from triptych.models.sequence.presets import PRESETS, Preset, parameter_cap

__all__ = [
    "PRESETS",
    "Config",
    "Preset",
    "SequenceNetwork",
    "build_sequence_network",
    "parameter_cap",
    "stack_config",
]

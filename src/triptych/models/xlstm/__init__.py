"""xLSTM: sLSTM and mLSTM cells, their blocks, and a stack with one state for prefill and for streaming.

Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory", arXiv 2405.04517; the large block: Beck et al. 2025, "xLSTM
7B", arXiv 2503.13427. Our own code, equal to the public package `xlstm` 2.0.6 (see `checkpoint.py`).
"""

from triptych.models.xlstm.checkpoint import load_reference
from triptych.models.xlstm.config import Config
from triptych.models.xlstm.stack import XLSTMStack
from triptych.models.xlstm.state import StackState

__all__ = ["Config", "StackState", "XLSTMStack", "load_reference"]

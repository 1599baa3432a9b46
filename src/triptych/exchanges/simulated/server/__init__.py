"""The simulated exchange as a server that speaks Bybit v5."""

from triptych.exchanges.simulated.server.faults import Faults, RestFault, StreamFaults
from triptych.exchanges.simulated.server.recording import Recording
from triptych.exchanges.simulated.server.server import BybitServer
from triptych.exchanges.simulated.server.shelf import Change

__all__ = ["BybitServer", "Change", "Faults", "Recording", "RestFault", "StreamFaults"]

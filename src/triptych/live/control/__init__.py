"""A live session for those who look at it and may stop it: its state, its candles, its journal, its switch."""

from triptych.live.access import Access, generate_token, is_loopback, read_token
from triptych.live.control.client import SessionClient, SessionError
from triptych.live.control.server import ControlServer
from triptych.live.control.starting import StartingServer
from triptych.live.control.view import SessionView
from triptych.live.control.watched import Watched

__all__ = [
    "Access",
    "ControlServer",
    "SessionClient",
    "SessionError",
    "SessionView",
    "StartingServer",
    "Watched",
    "generate_token",
    "is_loopback",
    "read_token",
]

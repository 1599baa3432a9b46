"""Triptych: one market, three neural views."""

__version__ = "0.1.0"

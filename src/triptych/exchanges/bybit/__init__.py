"""Bybit v5: parsing, requests, streams, and the gateway that live trading uses."""

"""Venues: Bybit v5, the simulated exchange and its server; candles of others through ccxt and Yahoo."""

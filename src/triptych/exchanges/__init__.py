"""Venues: the simulated exchange; later Bybit v5 and ccxt."""

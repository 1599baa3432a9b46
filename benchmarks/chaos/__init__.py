"""A thousand processes that trade and are killed: none may send an order twice or lose track of a position."""

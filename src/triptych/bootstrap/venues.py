"""Venues that are traded on: their names, their addresses, and what has to be said before real money is."""

from __future__ import annotations

from typing import Final, Literal

from triptych.domain.errors import RecipeError
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.bybit.hosts import Environment
from triptych.settings.live import LiveSettings

Venue = Literal["local", "bybit-testnet", "bybit-demo", "bybit"]
ENVIRONMENTS: Final[dict[Venue, Environment]] = {
    "local": "local", "bybit-testnet": "testnet", "bybit-demo": "demo", "bybit": "mainnet",
}  # fmt: skip


def hosts_of(settings: LiveSettings, venue: Venue) -> HostConfig:
    """Addresses of a venue: the settings' where they give any, else its own.

    Raises RecipeError when only some are given: the others would be those of another world.
    """
    given = {name: getattr(settings.hosts, name) for name in ("rest", "public", "private")}
    missing = [name for name, address in given.items() if not address]
    if missing and len(missing) < len(given):
        raise RecipeError(
            f"[hosts] gives {', '.join(name for name in given if name not in missing)}, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing.",
            remedy="Give all three addresses, or none for those of the venue.",
        )
    return settings.hosts.model_copy(update={"environment": ENVIRONMENTS[venue]})


def require_consent(hosts: HostConfig, settings: LiveSettings, *, real_money: bool) -> None:
    """Real money takes a flag, and limits in money that somebody has written down. Raises RecipeError without them.

    Which world it is, the addresses say that are really talked to, not the name of a venue.
    """
    if hosts.world != "real":
        return
    limits = {"gate.max_order_quote": settings.gate.max_order_quote,
              "gate.max_position_quote": settings.gate.max_position_quote}  # fmt: skip
    missing = [name for name, value in limits.items() if value is None]
    if missing:
        raise RecipeError(
            f"Real money is traded only within limits: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} "
            "not set.",
            remedy=f"Set them in the live settings, or by --set {missing[0]}=200.",
        )
    if not real_money:
        raise RecipeError(
            f"{hosts.rest_url} is real money, and --real-money was not given.",
            remedy="Try bybit-demo or bybit-testnet first; then say --real-money.",
        )

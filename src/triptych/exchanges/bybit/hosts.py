"""Where the venue lives: one set of addresses for each of its worlds, and which world an address belongs to."""

from __future__ import annotations

import ipaddress
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from triptych import domain
from triptych.exchanges.bybit.words import Category

Environment = Literal["mainnet", "testnet", "demo", "local", "custom"]
World = Literal["simulated", "demo", "testnet", "real"]
"""What is at stake where an order goes: only in the last of these worlds it is money."""

_PLAY: Final[dict[str, World]] = {
    "api-testnet.bybit.com": "testnet", "stream-testnet.bybit.com": "testnet", "api-demo.bybit.com": "demo",
    "stream-demo.bybit.com": "demo", "api-demo-testnet.bybit.com": "testnet",
    "stream-demo-testnet.bybit.com": "testnet",
}  # fmt: skip
_RISK: Final[tuple[World, ...]] = ("simulated", "testnet", "demo", "real")

_MAINNET_PUBLIC: Final = "wss://stream.bybit.com/v5/public"
_KNOWN: Final[dict[str, tuple[str, str, str]]] = {
    "mainnet": ("https://api.bybit.com", _MAINNET_PUBLIC, "wss://stream.bybit.com/v5/private"),
    "testnet": (
        "https://api-testnet.bybit.com",
        "wss://stream-testnet.bybit.com/v5/public",
        "wss://stream-testnet.bybit.com/v5/private",
    ),
    "demo": ("https://api-demo.bybit.com", _MAINNET_PUBLIC, "wss://stream-demo.bybit.com/v5/private"),
    "local": (
        "http://127.0.0.1:8765",
        "ws://127.0.0.1:8765/v5/public",
        "ws://127.0.0.1:8765/v5/private",
    ),
}


class Config(domain.Config):
    """Addresses of Bybit. Regional houses (bybit.eu, bybit.kz, ...) and other ports are `custom`, or set over one."""

    environment: Environment = Field(
        default="testnet",
        description="Which Bybit: mainnet (real money), testnet, demo (mainnet's market, play money), local (the "
        "simulated exchange on port 8765) or custom (all three addresses given here).",
    )
    rest: str = Field(default="", description="Address of the REST interface; empty takes the environment's.")
    public: str = Field(
        default="", description="Address of the public streams without the category; empty takes the environment's."
    )
    private: str = Field(default="", description="Address of the private stream; empty takes the environment's.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, schemes in (("rest", ("http", "https")), ("public", ("ws", "wss")), ("private", ("ws", "wss"))):
            address = getattr(self, name)
            if not address and self.environment == "custom":
                raise ValueError(f"a custom environment needs all of rest, public and private, {name} is missing")
            if address and (urlsplit(address).scheme not in schemes or not urlsplit(address).netloc):
                raise ValueError(f"{name} must be an address beginning with {schemes[0]}:// or {schemes[1]}://")
            if any(letter in urlsplit(address).netloc for letter in "@\\ "):
                raise ValueError(f"{name} must name a host, and a port if need be, and nothing else before its path")
        for name, scheme in (("rest", "https"), ("public", "wss"), ("private", "wss")):
            address = getattr(self, name)
            if address and urlsplit(address).scheme != scheme and world_of(address) != "simulated":
                raise ValueError(
                    f"{name}: {address} would carry the key and every order readable over a network; take "
                    f"{scheme}://, or a tunnel that ends on this machine"
                )
        return self

    @property
    def world(self) -> World:
        """What is at stake at the addresses that are really talked to, whatever the environment is called.

        An address that is neither this machine's own nor one of Bybit's known testnet and demo hosts is real money, as
        are all regional houses. Of an account whose orders and whose messages go to two worlds, the dearer one counts.
        """
        return max((world_of(self.rest_url), world_of(self.private_url)), key=_RISK.index)

    @property
    def rest_url(self) -> str:
        """Address of the REST interface, without a slash at its end."""
        return (self.rest or _KNOWN[self.environment][0]).rstrip("/")

    def public_url(self, category: Category) -> str:
        """Address of the public stream of a category."""
        return f"{(self.public or _KNOWN[self.environment][1]).rstrip('/')}/{category}"

    @property
    def private_url(self) -> str:
        """Address of the private stream."""
        return self.private or _KNOWN[self.environment][2]

    @property
    def venue(self) -> str:
        """Venue and world in words, for pages and labels: nobody takes real money for anything else."""
        return {"real": "bybit real money"}.get(self.world, f"bybit {self.world}")


def world_of(address: str) -> World:
    """The world of one address, judged by its host alone."""
    name = (urlsplit(address).hostname or "").rstrip(".").lower()
    if name == "localhost":
        return "simulated"
    try:
        return "simulated" if ipaddress.ip_address(name).is_loopback else "real"
    except ValueError:
        return _PLAY.get(name, "real")

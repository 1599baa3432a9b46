"""What must be true of recipe, models, instruments and account before a house trades on a venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triptych.bootstrap.session_models import Models
from triptych.bootstrap.telling import Tell
from triptych.domain import Instrument, Listing, utc
from triptych.domain.errors import DataError, RecipeError
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.gateway import BybitGateway
from triptych.inference import Artifact, ConsensusArtifact
from triptych.live.rules import TRADING, untraded
from triptych.settings import Recipe
from triptych.settings.live import LiveSettings

NO_STOP = "execution.stop_loss and execution.trailing_stop of the recipe are empty: no stop lies at the venue"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account that may be traded in.

    Attributes:
        gateway: counts the account in the coin in which the instruments are settled.
        instruments: with the venue's rules.
        closing_only: by symbol, why nothing is opened in an instrument.
    """

    gateway: BybitGateway
    instruments: tuple[Instrument, ...]
    closing_only: Mapping[str, str]


def require_stop(recipe: Recipe, settings: LiveSettings, *, is_real: bool, tell: Tell) -> None:
    """Without a stop nothing ends a loss while the house is down. Raises RecipeError where that would be real money,
    unless the settings waive it, and tells loudly otherwise.
    """
    if recipe.execution.nearest_stop is not None:
        return
    if is_real and not settings.without_stop:
        raise RecipeError(
            f"{NO_STOP}, and this is real money.",
            remedy="Set stop_loss under [execution] of the recipe and run it anew, or say --set without_stop=true.",
        )
    tell(f"WARNING: {NO_STOP}. Nothing ends a loss between two closes, or while this program is down.")


def tell_of_unknown(models: Models, traded: Sequence[str], tell: Tell) -> None:
    """Say of each model which instruments it has not seen in training, and so weighs without what was heard there."""
    for run, artifact in zip(models.runs, models.artifacts, strict=True):
        strange = [symbol for symbol in traded if symbol not in artifact.card.symbols]
        if strange:
            tell(
                f"WARNING: the model of {run.folder.name} was trained on {', '.join(artifact.card.symbols)} and never "
                f"on {', '.join(strange)}; no test of it says how it trades there.{_unheard(artifact, strange)}"
            )


def _unheard(artifact: Artifact | ConsensusArtifact, strange: Sequence[str]) -> str:
    """What weights by recent skill lack of instruments that are named otherwise than in training; mostly nothing."""
    recent = artifact.combiner.recent if isinstance(artifact, ConsensusArtifact) else None
    if recent is None or not recent.heard:
        return ""
    return (
        f" What its members said until {utc(recent.heard_until_ms)} UTC weighs them on {', '.join(recent.heard)} "
        f"alone, by that very name; on {', '.join(strange)} only what they say later does, and until an outcome of "
        "that is known the weights are those over all instruments. If it is the same market, give it the same name."
    )


async def open_account(connection: BybitConnection, key: Credentials, symbols: Sequence[str], tell: Tell) -> Account:
    """The account behind a key, checked. An instrument that the venue does not trade at the moment is closed only.

    Raises DataError where instruments are settled in several coins, or where none is traded and none is held;
    ExchangeError where the account holds long and short apart (hedge mode).
    """
    listed = await connection.market.listed(symbols)
    gateway = connection.gateway(key, currency=_settle_coin(listed))
    await gateway.require_one_way(symbols)
    closing_only = {symbol: untraded(symbol, one.status) for symbol, one in listed.items() if one.status != TRADING}
    if len(closing_only) == len(symbols):
        positions = await gateway.positions(symbols)
        if not any(one.quantity for one in positions.values()):
            raise DataError(
                f"{'; '.join(closing_only.values())}, and nothing is held.",
                remedy="Choose instruments that the venue trades.",
            )
    for reason in closing_only.values():
        tell(f"WARNING: {reason} until that has changed.")
    return Account(
        gateway=gateway, instruments=tuple(one.instrument for one in listed.values()), closing_only=closing_only
    )


def _settle_coin(listed: Mapping[str, Listing]) -> str | None:
    """The coin in which all are settled; None where the venue names none."""
    coins = {one.settle: symbol for symbol, one in listed.items() if one.settle}
    if len(coins) > 1:
        named = ", ".join(f"{symbol} in {coin}" for coin, symbol in sorted(coins.items()))
        raise DataError(
            f"The instruments are settled in several coins: {named}.",
            remedy="One session counts one coin: trade the others in an instance of their own.",
        )
    return next(iter(coins), None)

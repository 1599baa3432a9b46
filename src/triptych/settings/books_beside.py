"""Where the order books are that stand beside candles."""

from __future__ import annotations

from pydantic import Field

from triptych.domain import Config


class BooksConfig(Config):
    """Order books beside the candles, for encodings and factors that read them.

    The embedded market has books of its own.
    """

    path: str | dict[str, str] | None = Field(
        None,
        description="A file or folder of order books, of any format that is known, among them the folder of "
        "`triptych data record`; of several instruments a table of them: {BTCUSDT = 'a.parquet', ETHUSDT = 'b'}. "
        "Loaded only where something reads books.",
    )
    max_age_ms: int | None = Field(
        None,
        ge=0,
        description="A book last seen longer before a close, in milliseconds, is none, and no window that holds that "
        "close is used. Empty: 5000, or the length of a candle where that is shorter.",
    )

"""The reference of the factors, from their registry."""

from __future__ import annotations

from pathlib import Path

from triptych import features

LEAD = """# Factors

A factor is a number for each candle, made from candles up to and including it. `[features]` of a
[recipe](../recipes.md) names them, alone or in sets:

| set | factors | what it is for |
| --- | ---: | --- |
{sets}

**No price level.** Averages stand relative to the close, volumes relative to their own average, cumulative lines (OBV,
accumulation) enter by their changes: a level would tell a network in which year it is.

**Definitions are TA-Lib's** where TA-Lib has the indicator, and tests compare with it. Two things differ. Exponential
means end: their memory is cut where a value's weight has fallen to 1e-9 of the newest one's, so that a history that
starts later gives the same rows, in a backtest as live. And where nothing was traded or nothing moved, a ratio takes
the neutral value that its line below names, never NaN.

**How much history.** *Lookback* is the number of candles before the first known value. *Settle* is the number after
which older history changes nothing (7 digits or better). A pipeline's rows start after the largest *settle* of its
columns and, with rolling scores, `window` - 1 candles more: {warm_up} for `grid56`.

**Rolling scores.** With `normalisation = "rolling"` a value becomes its distance from the mean of the last `window`
candles, in their standard deviations, cut to ±`clip`. A constant column gives 0. A rare candle pattern is many
deviations away when it comes, so it is cut: ±`clip` stands for "here it is".

**Order books.** Factors of the family *book* measure the book as it stood when the candle closed; those of walls,
spoofing and of a network read its last rows up to then. Where no book is
known, or only one that is too old, they are unknown, and so is every window that holds that candle. Their rolling
scores are taken against the known values of the last `window` candles, half of which at least must be known. See
[order books beside candles](../../how-to/order-books-beside-candles.md).

**Left out**, because they never forget: KAMA, parabolic SAR, MAMA and the Hilbert transforms, the levels of OBV and AD.
"""


def write_factor_reference(path: Path) -> None:
    """Write one page with every factor: formula, unit, history it needs, sets it is in."""
    members = {name: features.resolve([name]) for name in features.sets()}
    uses = {
        "grid56": "the factor grid: 4 candles × 56 factors are a row of 224 pixels",
        "grid56_daily": "the same for daily candles: the time of year in place of the time of day",
        "patterns": "6 candle patterns and 16 ratios of price, volatility, volume and calendar, for sequence models",
        "indicators": "5 indicators, none of them in `patterns`: the other voice of a consensus",
        "regimes": "states of the market: bull, bear, sideways, high volatility, low liquidity, and their measures",
        "book": "7 measures of the order book at each close; the candles must carry books",
        "book_orders": "costs of market orders, walls and signs of spoofing, of the rows of the book up to each close",
        "book_network": "what a network of `triptych books train` says at each close",
        "candle_patterns": "all 61 candle patterns of TA-Lib: 1 rising, -1 falling, 0 none",
        "chart_patterns": "15 chart patterns by rules, each by how fresh its last detection is, and their side",
        "all": "everything that is made of candles alone, but for the chart patterns: they take far longer",
    }
    table = "\n".join(f"| `{name}` | {len(members[name])} | {uses[name]} |" for name in features.sets())
    warm_up = features.FeaturePipeline(features.Config()).warm_up
    lines = [LEAD.format(sets=table, warm_up=f"{warm_up:,}")]
    factors = [features.describe(name) for name in (*features.available(), *features.of_books())]
    for family in dict.fromkeys(factor.family for factor in factors):
        lines += [
            f"## {family.capitalize()}",
            "",
            "| factor | formula | unit | lookback | settle | sets |",
            "| --- | --- | --- | ---: | ---: | --- |",
        ]
        for factor in factors:
            if factor.family == family:
                within = ", ".join(f"`{one}`" for one in members if one != "all" and factor.name in members[one])
                formula = factor.description.replace("|", "\\|")
                lines.append(
                    f"| `{factor.name}` | {formula} | {factor.unit} | {factor.lookback} | {factor.settle} | {within} |"
                )
        lines.append("")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")

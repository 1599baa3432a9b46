"""From candles to a trained and judged model: targets, splits, windows, trainer, metrics, evaluation."""

"""Trade a model's predictions with costs, write the report, then ask again with doubled costs: python backtest.py"""

import triptych

SMALL = {
    "name": "small",
    "data.synthetic.n_candles": 6000,
    "data.synthetic.instruments": 1,
    "data.synthetic.pressure.strength": 1.0,  # plain enough for so small a model
    "window.length": 16,
    "window.stride": 3,
    "encoding.height": 32,
    "encoding.width": 48,
    "training.epochs": 3,
    "training.ema": 0.8,
}


def show(title, result):
    figures, verdict = result["performance"], result["verdict"]
    print(f"\n{title}: {figures['trades']['count']} trades, trial {result['trials']} on these candles")
    print(f"  return {figures['strategy']['total_return']:+.2%}, ", end="")
    print(f"buy and hold {figures['benchmark']['total_return']:+.2%}")
    print(f"  {verdict['sentence']} {' '.join(verdict['reasons'])}")


recipe = triptych.load_recipe("chart", changes=SMALL)
run = triptych.train(recipe)
show("costs of the recipe", triptych.backtest(run))
written = triptych.report(run)

doubled = [f"costs.{name}={2 * getattr(recipe.costs, name)}" for name in ("taker_fee", "half_spread_bp", "slippage_bp")]
show("doubled costs", triptych.backtest(run, overrides=doubled))  # counts as one more trial when luck is judged
print(f"\nreport: {written.html}")

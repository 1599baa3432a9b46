"""Train an EfficientNet on charts, judge it on candles it has not seen, ask it about the newest: python train_model.py

All is small here, to end within half a minute. `triptych train chart` trains the real thing.
"""

import numpy as np

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

recipe = triptych.load_recipe("chart", changes=SMALL)
run = triptych.train(recipe, tell=print)  # into runs/small-FINGERPRINT

evaluation = triptych.evaluate(run)
accuracy, majority = evaluation["metrics"]["accuracy"], evaluation["baselines"]["majority"]["accuracy"]
print(f"accuracy {accuracy['value']:.2f}, 95 % interval {accuracy['low']:.2f} to {accuracy['high']:.2f}")
print(f"always the commonest class: {majority['value']:.2f}")

artifact = triptych.load_artifact(run.artifact)  # weights, ONNX graph and card; loading runs no code
series = triptych.synthesise(recipe.data.synthetic).series[0]
window = series.windows(np.array([len(series) - 1]), artifact.card.length)
sell, hold, buy = artifact.predictor().probabilities(window)[0]  # raw candles in: the encoding is in the graph
print(f"after the newest candle: sell {sell:.2f}, hold {hold:.2f}, buy {buy:.2f}")

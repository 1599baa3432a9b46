"""Draw one window of candles with every encoding that reads candles: python generate_images.py [FILE]

FILE is any CSV, Parquet or Arrow file of candles; without one, a market is invented. Images come into ./images.
`triptych render` does the same and more: order books, factors, contact sheets, animations.
"""

import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import torch

import triptych

LENGTH = 60  # candles in a window
CANDLE = ("open", "high", "low", "close", "volume")
FOLDER = Path("images")

if len(sys.argv) > 1:
    series = triptych.read_candles(sys.argv[1]).series[0]
else:
    series = triptych.synthesise(triptych.SyntheticConfig(seed=7, n_candles=500, instruments=1)).series[0]

newest = np.array([len(series) - 1])  # a window is named by the candle it ends with
window = torch.from_numpy(series.windows(newest, LENGTH))  # (1, 60, 5): open, high, low, close, volume

FOLDER.mkdir(exist_ok=True)
for name in triptych.list_encodings():
    try:
        encoding = triptych.create_encoding(name, length=LENGTH)
    except triptych.TriptychError:
        continue  # needs a longer window
    if encoding.columns != CANDLE:
        continue  # reads an order book, or factors
    image = encoding(window)[0].permute(1, 2, 0).numpy()  # (height, width, channels), values from 0 to 1
    picture = image if encoding.channels == 3 else image[..., 0]
    matplotlib.image.imsave(FOLDER / f"{name}.png", picture, cmap="gray", vmin=0, vmax=1)
    print(f"{name}: {encoding.channels} x {encoding.height} x {encoding.width}, {FOLDER / name}.png")

"""DeepLOB: convolutions over the levels of an order book, an inception over time, an LSTM.

Source: Zhang, Zohren and Roberts, "DeepLOB: Deep Convolutional Neural Networks for Limit Order Books", IEEE
Transactions on Signal Processing 67(11), 2019, figure 3. The form is the one of 143,907 parameters: 32 channels, batch
norm behind every activation, no padding along time. It reads the encoding `book_levels`.
"""

from triptych.models.deeplob.build import build_deeplob
from triptych.models.deeplob.network import DeepLob

__all__ = ["DeepLob", "build_deeplob"]

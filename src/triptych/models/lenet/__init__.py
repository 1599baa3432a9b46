"""LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition", II.B).

Two forms: the paper's scaled tanh with average pooling, and today's ReLU with max pooling. Both with full connectivity
from the first maps to the second (the paper's table of connections), pooling without weights, and a linear output
instead of radial basis functions: 61,706 parameters for 32 x 32 pixels of one channel and 10 classes.
"""

from triptych.models.lenet.build import build_lenet
from triptych.models.lenet.features import LeNetFeatures
from triptych.models.lenet.layers import FORMS
from triptych.models.lenet.network import LeNet

__all__ = ["FORMS", "LeNet", "LeNetFeatures", "build_lenet"]

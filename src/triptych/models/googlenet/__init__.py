"""GoogLeNet (Szegedy et al. 2015, arXiv 1409.4842): the paper's, with batch normalisation, and torchvision's."""

from triptych.models.googlenet.auxiliary import AuxiliaryClassifier, GoogLeNetOutputs
from triptych.models.googlenet.build import build_googlenet
from triptych.models.googlenet.features import GoogLeNetFeatures
from triptych.models.googlenet.forms import FORMS
from triptych.models.googlenet.network import GoogLeNet

__all__ = ["FORMS", "AuxiliaryClassifier", "GoogLeNet", "GoogLeNetFeatures", "GoogLeNetOutputs", "build_googlenet"]

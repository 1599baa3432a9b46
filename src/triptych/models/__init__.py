"""Networks, created by name with timm's conventions: `create_model("efficientnet_b0", in_chans=1, num_classes=3)`."""

from functools import partial

from triptych.models.adaptation import adapt_input_conv
from triptych.models.config import Config, build_network
from triptych.models.deeplob import build_deeplob
from triptych.models.deeplob.space import SPACE as _DEEPLOB_SPACE
from triptych.models.efficientnet import VARIANTS, build_efficientnet, to_timm_names, to_torchvision_names
from triptych.models.efficientnet.published import PUBLISHED
from triptych.models.efficientnet.space import SPACE as _EFFICIENTNET_SPACE
from triptych.models.googlenet import FORMS as _GOOGLENETS
from triptych.models.googlenet import build_googlenet
from triptych.models.googlenet.space import SPACE as _GOOGLENET_SPACE
from triptych.models.lenet import FORMS as _LENETS
from triptych.models.lenet import build_lenet
from triptych.models.lenet.space import SPACE as _LENET_SPACE
from triptych.models.pretrained import INCEPTION_MEAN, INCEPTION_STD, PretrainedWeights
from triptych.models.recalibrated import build_recalibrated
from triptych.models.registry import create_model, list_models, list_pretrained, register_model, search_space
from triptych.models.sequence import PRESETS as _SEQUENCES
from triptych.models.sequence import build_sequence_network, parameter_cap
from triptych.models.sequence.space import space_of as _space_of
from triptych.models.spaces import SearchSpace
from triptych.models.weights import WeightsReport, fill_network, load_weights

__all__ = [
    "Config",
    "SearchSpace",
    "WeightsReport",
    "adapt_input_conv",
    "build_network",
    "create_model",
    "fill_network",
    "list_models",
    "list_pretrained",
    "load_weights",
    "parameter_cap",
    "register_model",
    "search_space",
    "to_timm_names",
    "to_torchvision_names",
]

for _name, _variant in VARIANTS.items():
    register_model(
        partial(build_efficientnet, _variant),
        name=_name,
        published=PUBLISHED[_name],
        rename=to_timm_names,
        space=_EFFICIENTNET_SPACE,
    )

# None of these is on the hub. torchvision's file for `googlenet` loads by checkpoint_path, its names being ours; it was
# trained on images normalised with 0.5 (torchvision's `transform_input`).
_AS_TORCHVISION = PretrainedWeights(
    mean=INCEPTION_MEAN,
    std=INCEPTION_STD,
    interpolation="bilinear",
    first_conv="conv1.conv",
    classifier="fc",
    auxiliary=("aux1", "aux2"),
)
for _form in _GOOGLENETS.values():
    register_model(
        partial(build_googlenet, _form), name=_form.name, published=(_AS_TORCHVISION,), space=_GOOGLENET_SPACE
    )

_DIGITS = PretrainedWeights(
    size=32,
    in_chans=1,
    mean=(0.5,),
    std=(0.5,),
    crop_pct=1.0,
    num_classes=10,
    pool_size=5,
    first_conv="conv1",
    classifier="fc3",
)
for _lenet in _LENETS.values():
    register_model(partial(build_lenet, _lenet), name=_lenet.name, published=(_DIGITS,), space=_LENET_SPACE)

_COLUMNS = PretrainedWeights(size=64, in_chans=22, num_classes=3, first_conv="embed", classifier="fc", mean=(), std=())
for _sequence in _SEQUENCES.values():
    register_model(
        partial(build_sequence_network, _sequence),
        name=_sequence.name,
        published=(_COLUMNS,),
        space=_space_of(_sequence),
    )

_BOOKS = PretrainedWeights(
    size=100, in_chans=1, num_classes=3, first_conv="fields.0.0", classifier="fc", mean=(), std=()
)
_PROBABILITIES = PretrainedWeights(
    size=2, in_chans=3, num_classes=3, first_conv="bias", classifier="bias", mean=(), std=()
)
register_model(build_recalibrated, name="recalibrated", published=(_PROBABILITIES,))
register_model(build_deeplob, name="deeplob", published=(_BOOKS,), space=_DEEPLOB_SPACE)

"""Networks by name, in timm's manner: `create_model`, `list_models`, `register_model`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models.hub import download_weights
from triptych.models.outside import check_outside, create_outside, is_outside
from triptych.models.pretrained import PretrainedWeights
from triptych.models.spaces import SearchSpace
from triptych.models.weights import Rename, load_weights

Builder = Callable[..., nn.Module]
"""Takes the keyword arguments of `create_model` from `in_chans` on, and whatever else the network understands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredModel:
    """A name and what is known of it.

    Attributes:
        name: without a tag.
        build: makes the network with fresh weights.
        published: known weights, the default first; at least one, whose tag is empty when none are published.
        rename: translates the names of other libraries' checkpoints.
        space: how a search varies it.
    """

    name: str
    build: Builder
    published: tuple[PretrainedWeights, ...]
    rename: Rename | None
    space: SearchSpace


_MODELS: Final[dict[str, RegisteredModel]] = {}


def register_model(
    build: Builder,
    *,
    name: str = "",
    published: tuple[PretrainedWeights, ...] = (PretrainedWeights(),),
    rename: Rename | None = None,
    space: SearchSpace | None = None,
) -> Builder:
    """Make a network known under `name` (the function's own name when empty); usable as a decorator.

    Raises RecipeError when the name is taken.
    """
    name = name or build.__name__
    if name in _MODELS:
        raise RecipeError(f"A model named {name!r} is registered already.", remedy="Choose another name.")
    _MODELS[name] = RegisteredModel(
        name=name, build=build, published=published, rename=rename, space=space or SearchSpace()
    )
    return build


def list_models(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """Names in alphabetical order that match a shell pattern such as `*effnet*` or `efficientnet_b?`.

    `pretrained` keeps only those with published weights.
    """
    return sorted(
        name
        for name, model in _MODELS.items()
        if fnmatchcase(name, pattern) and (model.published[0].tag or not pretrained)
    )


def list_pretrained(pattern: str = "*") -> list[str]:
    """Names with the tag of each set of published weights, such as efficientnet_b0.ra_in1k, for `create_model`."""
    return sorted(
        f"{name}.{weights.tag}"
        for name, model in _MODELS.items()
        for weights in model.published
        if weights.tag and fnmatchcase(f"{name}.{weights.tag}", pattern)
    )


def create_model(
    name: str,
    pretrained: bool = False,
    in_chans: int = 3,
    num_classes: int = 1000,
    features_only: bool = False,
    out_indices: Sequence[int] | int | None = None,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    global_pool: str = "avg",
    checkpoint_path: str | Path = "",
    cache_dir: Path | None = None,
    hub_endpoint: str | None = None,
    **options: Any,
) -> nn.Module:
    """Build a network by name, with timm's conventions.

    Args:
        name: see `list_models`; a tag after a dot chooses published weights (`list_pretrained`). `timm:NAME` is a
            network of timm, made by it, see `create_outside`; weights and attributes are then timm's.
        pretrained: load published weights from the Hugging Face hub.
        in_chans: image channels; weights for RGB are adapted to any number.
        num_classes: 0 leaves the classifier out: (batch, num_features), or with an empty `global_pool` the feature map.
        features_only: return a list of feature maps; `out_indices` picks some.
        drop_rate: dropout before the classifier. drop_path_rate: stochastic depth of the last block.
        global_pool: avg, max, avgmax or empty.
        checkpoint_path: a .safetensors file of this network, in timm's or torchvision's names.
        cache_dir, hub_endpoint: of the download, see `download_weights`.
        options: what the network understands besides: width, depth, seed; an efficientnet also padding, bn_eps,
            bn_momentum; a googlenet also aux_logits.

    Returns:
        The network in training mode. It carries `pretrained_cfg` (also `default_cfg`), `feature_info` and, when weights
        were loaded, `weights_report`.

    Raises RecipeError for an unknown name, tag or option, or a value out of range; ArtifactError for weights that
    cannot be had or do not fit.
    """
    if is_outside(name):
        return create_outside(
            name, pretrained=pretrained, in_chans=in_chans, num_classes=num_classes, drop_rate=drop_rate,
            drop_path_rate=drop_path_rate, global_pool=global_pool, checkpoint_path=checkpoint_path,
            features_only=features_only, out_indices=out_indices, **options,
        )  # fmt: skip
    model, weights = _find(name)
    config = weights.as_config(model.name)
    _require_known(model, options)
    if pretrained and checkpoint_path:
        raise RecipeError(
            "pretrained and checkpoint_path name two sources of weights.", remedy="Give only one of them."
        )
    if pretrained:
        _require_published(model, config, options)

    network = model.build(
        in_chans=in_chans, num_classes=num_classes, features_only=features_only, out_indices=out_indices,
        drop_rate=drop_rate, drop_path_rate=drop_path_rate, global_pool=global_pool, **options,
    )  # fmt: skip
    attributes: dict[str, Any] = {}
    if pretrained or checkpoint_path:
        path = Path(checkpoint_path)
        if pretrained:
            names = config["hf_hub_id"], config["hf_hub_filename"]
            path = download_weights(*names, cache_dir=cache_dir, endpoint=hub_endpoint)
        attributes["weights_report"] = load_weights(
            network, path, first_conv=config["first_conv"], classifier=config["classifier"],
            auxiliary=weights.auxiliary, rename=model.rename, is_partial=features_only,
        )  # fmt: skip
    if features_only:
        config = {key: value for key, value in config.items() if key not in ("num_classes", "classifier")}
    attributes["pretrained_cfg"] = attributes["default_cfg"] = config
    for attribute, value in attributes.items():
        setattr(network, attribute, value)
    return network


def check_name(name: str) -> None:
    """Raise RecipeError when `create_model` would not know `name`."""
    if is_outside(name):
        check_outside(name)
    else:
        _find(name)


def search_space(name: str) -> SearchSpace:
    """How a search varies a network. Raises RecipeError for an unknown name."""
    check_name(name)
    return SearchSpace() if is_outside(name) else _find(name)[0].space


def _find(name: str) -> tuple[RegisteredModel, PretrainedWeights]:
    """The model and the weights that a name with or without a tag means."""
    base, _, tag = name.partition(".")
    model = _MODELS.get(base)
    if model is None:
        close = difflib.get_close_matches(base, _MODELS, n=5)
        hint = f"Close names: {', '.join(close)}." if close else f"Known names: {', '.join(list_models())}."
        raise RecipeError(f"Unknown model {name!r}.", remedy=hint)
    weights = next((weights for weights in model.published if weights.tag == tag), None) if tag else model.published[0]
    if weights is None:
        tags = ", ".join(weights.tag for weights in model.published if weights.tag) or "none"
        raise RecipeError(f"{base} has no published weights {tag!r}.", remedy=f"Its tags: {tags}.")
    return model, weights


def _require_known(model: RegisteredModel, options: dict[str, Any]) -> None:
    known = inspect.signature(model.build).parameters
    accepts_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    unknown = [option for option in options if option not in known]
    if unknown and not accepts_all:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise RecipeError(
            f"{model.name} has no option {unknown[0]!r}.",
            remedy=f"{hint}Its options: {', '.join(sorted(known))}.",
        )


def _require_published(model: RegisteredModel, config: dict[str, Any], options: dict[str, Any]) -> None:
    if not config["hf_hub_id"]:
        others = [name for name in list_models(pretrained=True) if name.removeprefix("tf_") == model.name]
        hint = f"The same network with weights: {', '.join(others)}." if others else "Give a file by checkpoint_path."
        raise RecipeError(f"{model.name} has no published weights.", remedy=hint)
    for factor in ("width", "depth"):
        if options.get(factor, 1.0) != 1.0:
            raise RecipeError(
                f"Published weights fit {model.name} only at {factor} 1, was {options[factor]}.",
                remedy=f"Leave {factor} out, or set pretrained to false.",
            )

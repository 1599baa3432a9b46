"""Networks of timm by name, `timm:NAME`, where timm is installed: anything that takes images of any size.

timm is Ross Wightman's PyTorch Image Models, Apache-2.0; its published weights have licences of their own, which the
pages of the weights name.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from triptych.domain.errors import ArtifactError, RecipeError

PREFIX: Final = "timm:"


def is_outside(name: str) -> bool:
    """Whether a name is one of timm."""
    return name.startswith(PREFIX)


def check_outside(name: str) -> None:
    """Raise RecipeError when timm is missing or does not know a name."""
    _known(name)


def create_outside(
    name: str,
    *,
    pretrained: bool,
    width: float = 1.0,
    depth: float = 1.0,
    seed: int | None = None,
    drop_path_rate: float = 0.0,
    global_pool: str = "avg",
    checkpoint_path: str | Path = "",
    features_only: bool = False,
    out_indices: Sequence[int] | int | None = None,
    **options: Any,
) -> nn.Module:
    """A network of timm, made by its own `create_model`.

    Args:
        name: `timm:` and timm's name, with or without a tag.
        pretrained: take timm's weights, which timm downloads and adapts to the number of channels.
        width, depth: 1; other sizes have other names.
        seed: of the first weights; None draws them from torch's default generator.
        drop_path_rate: stochastic depth, of the networks that know it.
        global_pool, checkpoint_path, features_only, out_indices: see `create_model`; handed on where they ask for
            something, since not every network of timm takes them.
        options: timm's own, such as in_chans, num_classes, drop_rate, img_size.

    Raises RecipeError without timm, for an unknown name, another width or depth, or an option that the network does not
    take; ArtifactError for weights that cannot be had.
    """
    timm = _known(name)
    if (width, depth) != (1.0, 1.0):
        raise RecipeError(
            f"{name} comes in one size, was asked for width {width:g} and depth {depth:g}.",
            remedy="Set model.width and model.depth to 1, and choose a smaller network by its name.",
        )
    given = {key: value for key, value in options.items() if value is not None}
    given |= {} if global_pool == "avg" else {"global_pool": global_pool}
    given |= {"checkpoint_path": str(checkpoint_path)} if checkpoint_path else {}
    given |= {"features_only": True} if features_only else {}
    given |= {"out_indices": out_indices} if features_only and out_indices is not None else {}

    def make(**more: Any) -> nn.Module:
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            network: nn.Module = timm.create_model(name.removeprefix(PREFIX), pretrained=pretrained, **given, **more)
        return network

    try:
        try:
            return make(drop_path_rate=drop_path_rate)
        except TypeError:  # not all networks have branches that could be skipped
            return make()
    except (TypeError, AssertionError) as error:
        raise RecipeError(f"timm cannot make {name}: {error}", remedy="Choose another network.") from error
    except (OSError, RuntimeError) as error:
        raise ArtifactError(
            f"timm cannot make {name}: {' '.join(str(error).split())}",
            remedy="Set model.pretrained to false, or bring the weights into timm's cache first.",
        ) from error


@torch.no_grad()
def require_outside_reads(name: str, network: nn.Module, image_CHW: Tensor) -> None:
    """Try a network of timm on one image, which changes nothing of it: many read images of one size only.

    Raises RecipeError when it cannot read it.
    """
    was_training = network.training
    try:
        network.eval()(image_CHW[None])
    except (AssertionError, RuntimeError, ValueError, IndexError) as error:
        channels, height, width = image_CHW.shape
        raise RecipeError(
            f"{name} cannot read images of {height} x {width} pixels in {channels} channels: "
            f"{' '.join(str(error).split()).removesuffix('.')}.",
            remedy="Draw images of the size that it was made for (encoding.height and encoding.width; most "
            "transformers 224 x 224), or choose a network that takes any size, such as timm:resnet18.",
        ) from error
    finally:
        network.train(was_training)


def _known(name: str) -> Any:
    """The module timm, which knows the name."""
    if importlib.util.find_spec("timm") is None:
        raise RecipeError(
            f"{name} is a network of timm, which is not installed.",
            remedy='Install it by `pip install "triptych[timm]"`, or choose a network without `timm:`.',
        )
    try:
        import timm  # takes seconds to load, and is not a dependency
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        raise RecipeError(
            f"{name} is a network of timm, which is installed but does not load: {' '.join(str(error).split())}. Its "
            f"torchvision is most likely built for another PyTorch than the {torch.__version__} installed here.",
            remedy="Install torch and torchvision of one release from the same index, the versions of constraints.txt "
            "(`pip install --force-reinstall torch torchvision --index-url "
            "https://download.pytorch.org/whl/cpu -c constraints.txt` without a GPU), or choose a network without "
            "`timm:`.",
        ) from error

    own = name.removeprefix(PREFIX)
    if not timm.is_model(own):
        close = difflib.get_close_matches(own, timm.list_models(), n=5)
        hint = (
            f"Close names: {', '.join(PREFIX + one for one in close)}." if close else "`timm.list_models()` names all."
        )
        raise RecipeError(f"timm has no model {own!r}.", remedy=hint)
    return timm

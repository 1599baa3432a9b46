"""Filling a network from a weights file: names translated, first convolution adapted, foreign classes left fresh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from triptych.domain.errors import ArtifactError
from triptych.models.adaptation import adapt_input_conv
from triptych.models.safetensors_file import read_safetensors

Rename = Callable[[Iterable[str]], Mapping[str, str]]
"""From the names of a file to a network's names; names it leaves out stay as they are."""

_NAMES_SHOWN = 5
# Counts batches for a cumulative average that is not used here; converters often drop it.
_OPTIONAL_ENDING = ".num_batches_tracked"


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsReport:
    """What happened to a weights file, as names in the network's own words.

    Attributes:
        loaded: taken as they are.
        adapted: converted to another number of input channels.
        fresh: left as they were drawn, because the file's classes are other ones, or it has no auxiliary classifiers.
        unused: in the file, but not in this network, by its design (no classifier, none that serve in training only,
            feature maps only).
    """

    loaded: tuple[str, ...]
    adapted: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def load_weights(
    network: nn.Module,
    path: Path,
    *,
    first_conv: str = "conv_stem",
    classifier: str = "classifier",
    auxiliary: tuple[str, ...] = (),
    rename: Rename | None = None,
    is_partial: bool = False,
) -> WeightsReport:
    """Fill `network` in place, wholly or not at all.

    Args:
        network: what is filled.
        path: a .safetensors file.
        first_conv: name of the layer that sees the image. Kernels for 3 channels are adapted to the network's number.
        classifier: name of the last layer. It stays fresh when the file has another number of classes.
        auxiliary: names of parts that serve in training only. The file or the network may be without them; one that
            does not fit wholly, as with another number of classes, stays fresh.
        rename: translates the names of other libraries.
        is_partial: the network is only a part of what the file holds; the rest of the file is not used.

    Raises ArtifactError when the file cannot be read, or names every missing, unexpected and mis-shaped weight.
    """
    tensors = read_safetensors(path)
    return fill_network(
        network, tensors, source=str(path), first_conv=first_conv, classifier=classifier, auxiliary=auxiliary,
        rename=rename, is_partial=is_partial,
    )  # fmt: skip


def fill_network(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    source: str,
    first_conv: str = "conv_stem",
    classifier: str = "classifier",
    auxiliary: tuple[str, ...] = (),
    rename: Rename | None = None,
    is_partial: bool = False,
) -> WeightsReport:
    """`load_weights` of tensors that are read already; errors name their `source`."""
    names = rename(tensors) if rename else {}
    tensors = {names.get(name, name): tensor for name, tensor in tensors.items()}
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}

    adapted = _adapt_first_convolution(tensors, own, f"{first_conv}.weight")
    fresh = _drop_foreign_classifier(tensors, own, classifier)
    for part in auxiliary:
        fresh += _drop_foreign_auxiliary(tensors, own, f"{part}.")
    dispensable = tuple(f"{part}." for part in (classifier, *auxiliary))
    unused = tuple(name for name in tensors if name not in own and (is_partial or name.startswith(dispensable)))
    for name in unused:
        del tensors[name]
    _check_fit(source, tensors, own, fresh)

    network.load_state_dict(tensors, strict=False)
    loaded = tuple(name for name in tensors if name not in adapted)
    return WeightsReport(loaded=loaded, adapted=adapted, fresh=fresh, unused=unused)


def _adapt_first_convolution(
    tensors: dict[str, Tensor], own: Mapping[str, tuple[int, ...]], name: str
) -> tuple[str, ...]:
    if name not in tensors or name not in own or tensors[name].ndim != 4:
        return ()
    in_chans, given = own[name][1], tensors[name].shape[1]
    if in_chans == given or given != 3:
        return ()
    tensors[name] = adapt_input_conv(in_chans, tensors[name])
    return (name,)


def _drop_foreign_classifier(
    tensors: dict[str, Tensor], own: Mapping[str, tuple[int, ...]], classifier: str
) -> tuple[str, ...]:
    names = tuple(name for name in (f"{classifier}.weight", f"{classifier}.bias") if name in tensors and name in own)
    if all(tensors[name].shape[:1] == own[name][:1] for name in names):
        return ()
    for name in names:
        del tensors[name]
    return names


def _drop_foreign_auxiliary(
    tensors: dict[str, Tensor], own: Mapping[str, tuple[int, ...]], prefix: str
) -> tuple[str, ...]:
    """Take a part out of the file when the network has it, but of other shapes, or the file has it not or in part."""
    names = tuple(name for name in own if name.startswith(prefix))
    shapes = {name: tuple(tensors[name].shape) for name in names if name in tensors}
    if all(shapes.get(name) == own[name] for name in names if not name.endswith(_OPTIONAL_ENDING)):
        return ()
    for name in shapes:
        del tensors[name]
    return names


def _check_fit(
    source: str, tensors: Mapping[str, Tensor], own: Mapping[str, tuple[int, ...]], fresh: tuple[str, ...]
) -> None:
    expected = [name for name in own if name not in fresh and not name.endswith(_OPTIONAL_ENDING)]
    missing = [name for name in expected if name not in tensors]
    unexpected = [name for name in tensors if name not in own]
    misshaped = [
        f"{name} (expected {list(shape)}, was {list(tensors[name].shape)})"
        for name, shape in own.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    problems = [
        f"{what} {_listed(names)}"
        for what, names in (("missing", missing), ("unexpected", unexpected), ("mis-shaped", misshaped))
        if names
    ]
    if problems:
        raise ArtifactError(
            f"{source} does not fit the network: {'; '.join(problems)}.",
            remedy="Build the network with the name, width, depth and channels the weights were trained with; "
            "weights without a classifier load with num_classes=0, then call reset_classifier.",
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"

"""An explanation of one decision: heat on the image, and what the heat lies on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.domain.errors import DataError, RecipeError
from triptych.images import AbstractEncoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.explain.axes import AxisImportance
from triptych.inference.explain.cam import class_activation
from triptych.inference.explain.integrated_gradients import integrated_gradients
from triptych.inference.explain.margin import Margin
from triptych.inference.explain.occlusion import occlusion

Method = Literal["grad_cam", "layer_cam", "integrated_gradients", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a network decided as it did about one window.

    Attributes:
        method: how it was found.
        target: class that is explained: sell, hold or buy.
        probabilities: of sell, hold, buy, float64 of shape (3,).
        image: what the network saw, float32 of shape (channels, height, width), in [0, 1].
        attribution: importance of every pixel, float64 of the shape of `image`. Of integrated gradients and occlusion
            log-odds, above 0 where a pixel speaks for the class, below 0 where it speaks against it; of class
            activation maps heat from 0 without a unit.
        by_candle: importance of every candle of the window, oldest first, shape (length,); None of an encoding whose
            pixels stand for no candle.
        axes: importance of prices (and of the pane of volumes), factors or frequencies.
        facts: what the method says of itself: the layer of a map; sum and difference of integrated gradients.
    """

    method: Method
    target: str
    probabilities: NDArray[np.float64]
    image: NDArray[np.float32]
    attribution: NDArray[np.float64]
    by_candle: NDArray[np.float64] | None
    axes: tuple[AxisImportance, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def heat(self) -> NDArray[np.float64]:
        """Importance on the picture, shape (height, width): all channels together.

        Of a sequence, an image of one row, it has a row for every factor.
        """
        return self.attribution[:, 0] if self.is_sequence else self.attribution.sum(axis=0)

    @property
    def is_flat(self) -> bool:
        """Whether there is no heat: of a class activation map, whose negative part is cut off, nothing spoke for the
        class."""
        return not np.any(self.attribution)

    @property
    def shortfall(self) -> str:
        """What to say of integrated gradients whose shares do not add up; empty where they do, and of other methods."""
        if self.facts.get("complete", True):
            return ""
        return (
            f"Incomplete: after {self.facts['steps']} steps the shares still sum to {self.facts['sum']:+.3f} where the "
            f"network's difference is {self.facts['difference']:+.3f}. Read them as an order at most, or ask occlusion."
        )

    @property
    def picture(self) -> NDArray[np.float32]:
        """The image as it is looked at: of a sequence one row a factor, shape (1, factors, length)."""
        return self.image[:, 0][None] if self.is_sequence else self.image

    @property
    def is_sequence(self) -> bool:
        """Whether the image has one row, and its channels are factors."""
        return bool(self.image.shape[1] == 1)


def explain(
    classifier: WindowClassifier,
    window: NDArray[np.floating],
    *,
    method: Method = "integrated_gradients",
    target: str = "",
    layer: str = "",
) -> Explanation:
    """Explain what a network says about one window.

    The window is all that is looked at: an explanation at a candle knows no later one.

    Args:
        classifier: network with its encoding, in evaluation mode.
        window: array of shape (length, columns): raw candles, or factors, as the network reads them.
        method: `grad_cam`, `layer_cam` (networks of images only), `integrated_gradients`, `occlusion`.
        target: class to explain; empty takes the likeliest.
        layer: of a class activation map; empty chooses one.

    Raises RecipeError for a method that the network does not allow, an unknown class or layer, and DataError for a
    window with unknown values.
    """
    if target and target not in CLASSES:
        raise RecipeError(f"There is no class {target!r} to explain.", remedy=f"Classes: {', '.join(CLASSES)}.")
    if not np.isfinite(window).all():
        raise DataError("The window holds unknown values.", remedy="Explain a later decision, or bring more candles.")
    device = next(classifier.network.parameters()).device
    batch = torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32))[None].to(device)
    with torch.no_grad():
        image = classifier.images(batch)
        probabilities = torch.softmax(classifier(batch).double(), dim=-1)[0].cpu().numpy()
    chosen = CLASSES.index(target) if target else int(probabilities.argmax())
    attribution, facts = _attribution(classifier, image, chosen, method, layer)
    by_candle, axes = _mapped_back(classifier.encoding, attribution, np.asarray(window))
    return Explanation(
        method=method,
        target=CLASSES[chosen],
        probabilities=probabilities,
        image=image[0].float().cpu().numpy(),
        attribution=attribution,
        by_candle=by_candle,
        axes=axes,
        facts=facts,
    )


def blank_of(encoding: torch.nn.Module, image_1CHW: torch.Tensor) -> torch.Tensor:
    """The image that says nothing, as the encoding has it; black where it does not say."""
    return encoding.blank() if isinstance(encoding, AbstractEncoding) else torch.zeros_like(image_1CHW[0])


def _attribution(
    classifier: WindowClassifier, image: torch.Tensor, chosen: int, method: Method, layer: str
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    if classifier.is_stepwise and method != "occlusion":
        raise RecipeError(
            f"The model's answer is one of trees, which has no gradient that {method} could follow.",
            remedy="Choose occlusion, which asks the model itself.",
        )
    margin, blank = Margin(classifier, chosen), blank_of(classifier.encoding, image)
    if method == "integrated_gradients":
        found = integrated_gradients(margin, image, blank)
        facts = {
            "sum": found.total,
            "difference": found.difference,
            "complete": found.complete,
            "steps": found.steps,
        }
        return found.attribution.cpu().numpy(), facts
    if method == "occlusion":
        return occlusion(margin, image, blank).cpu().numpy(), {}
    heat, used = class_activation(margin, image, method, layer)
    shared = heat.double().cpu().numpy()[None] / image.shape[1]
    return np.repeat(shared, image.shape[1], axis=0), {"layer": used}


def _mapped_back(
    encoding: torch.nn.Module, attribution: NDArray[np.float64], window: NDArray[np.floating]
) -> tuple[NDArray[np.float64] | None, tuple[AxisImportance, ...]]:
    pixels = encoding.pixel_map() if isinstance(encoding, AbstractEncoding) else None
    if pixels is None:
        return None, ()
    found = []
    for axis in pixels.axes:
        names = axis.names
        if axis.kind == "price":
            high, low = float(window[:, 1].max()), float(window[:, 2].min())
            names = (*(f"{low + level * (high - low):.6g}" for level in axis.levels), *axis.names)
        found.append(
            AxisImportance(
                kind=axis.kind,
                names=names,
                values=pixels.by_axis(axis, attribution),
                areas=len(axis.names) if axis.kind == "price" else 0,
                outside=pixels.outside(axis, attribution),
            )
        )
    by_candle = pixels.by_candle(attribution) if pixels.candles.nnz else None
    return by_candle, tuple(found)

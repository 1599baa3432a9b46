"""What sets the three GoogLeNets apart: the paper's, with batch normalisation, and torchvision's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One way to build the same plan.

    Attributes:
        name: of the registered model.
        batch_norm: every convolution is followed by batch normalisation and has no bias; otherwise convolutions have
            biases and the stem two local response normalisations.
        wide_kernel: pixels of the kernel in the branch that the paper calls 5x5.
        last_pool: pixels of the last max pooling.
        auxiliary_pool: how an auxiliary classifier comes to its 4x4 grid. `paper`: the mean of 5x5 pixels every 3
            where the map has at least 14 pixels a side (224-pixel images), else as `adaptive`. `adaptive`: the map cut
            in 4x4 cells of equal size.
    """

    name: str
    batch_norm: bool
    wide_kernel: Literal[3, 5]
    last_pool: Literal[2, 3]
    auxiliary_pool: Literal["paper", "adaptive"]


FORMS: Final = {
    form.name: form
    for form in (
        # torchvision/models/googlenet.py 0.28; its 3x3 in the place of 5x5 is a mistake kept for its weights' sake
        # (pytorch/vision issue 906).
        Form(name="googlenet", batch_norm=True, wide_kernel=3, last_pool=2, auxiliary_pool="adaptive"),
        Form(name="googlenet_bn", batch_norm=True, wide_kernel=5, last_pool=3, auxiliary_pool="paper"),
        Form(name="googlenet_paper", batch_norm=False, wide_kernel=5, last_pool=3, auxiliary_pool="paper"),
    )
}
"""All forms by the name of their model."""

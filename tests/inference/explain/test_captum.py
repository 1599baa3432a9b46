"""Explanations equal those of captum, which implements the same papers on its own."""

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam, Occlusion
from tests.fakes.explained import classifier_of, window_of
from torch.nn import functional as F

from triptych.inference.explain import explain
from triptych.inference.explain.explanation import blank_of
from triptych.inference.explain.margin import Margin

CHARTS = ("efficientnet", "googlenet", "lenet")


@pytest.mark.parametrize("name", CHARTS)
def test_grad_cam_equals_captum(name):
    classifier = classifier_of(name)
    found = explain(classifier, window_of(classifier), method="grad_cam", target="sell")
    layer = classifier.network.get_submodule(found.facts["layer"])
    theirs = LayerGradCam(Margin(classifier, 0), layer).attribute(image_of(found), relu_attributions=True)
    large = F.interpolate(theirs, size=found.heat.shape, mode="bilinear", align_corners=False)
    assert found.heat.max() > 0
    assert np.allclose(found.heat, large[0, 0].detach().numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", [*CHARTS, "lstm", "tcn"])
def test_integrated_gradients_equal_captum(name):
    classifier = classifier_of(name)
    found = explain(classifier, window_of(classifier), method="integrated_gradients", target="buy")
    image = image_of(found)
    theirs = IntegratedGradients(Margin(classifier, 2)).attribute(
        image, baselines=blank_of(classifier.encoding, image)[None], n_steps=found.facts["steps"],
        method="riemann_middle",
    )  # fmt: skip
    largest = np.abs(found.attribution).max()
    assert np.allclose(found.attribution, theirs[0].detach().numpy(), rtol=1e-3, atol=1e-4 * largest)


@pytest.mark.parametrize(("name", "patch"), [("efficientnet", (3, 4, 8)), ("lenet", (1, 4, 12)), ("lstm", (1, 1, 4))])
def test_occlusion_equals_captum(name, patch):
    """Captum leaves what a patch takes with every one of its pixels; here they share it."""
    classifier = classifier_of(name)
    found = explain(classifier, window_of(classifier), method="occlusion", target="buy")
    image = image_of(found)
    steps = tuple(max(side // 2, 1) for side in patch[1:])
    theirs = Occlusion(Margin(classifier, 2)).attribute(
        image, sliding_window_shapes=patch, strides=(patch[0], *steps), perturbations_per_eval=16,
        baselines=blank_of(classifier.encoding, image)[None],
    )  # fmt: skip
    ours = found.attribution * np.prod(patch)
    assert np.abs(ours).max() > 0
    assert np.allclose(ours, theirs[0].detach().numpy(), rtol=1e-4, atol=1e-5 * np.abs(ours).max())


def image_of(found) -> torch.Tensor:
    return torch.from_numpy(found.image)[None]

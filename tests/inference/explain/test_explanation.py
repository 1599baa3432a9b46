"""What every explanation promises, over methods and kinds of networks."""

import numpy as np
import pytest
import torch
from tests.fakes.explained import LENGTH, NETWORKS, SEQUENCES, classifier_of, window_of
from tests.fakes.windows import history

from triptych.domain import CLASSES
from triptych.domain.errors import DataError, RecipeError
from triptych.images import create_encoding
from triptych.inference import WindowClassifier
from triptych.inference.explain import METHODS, explain, layers_of
from triptych.inference.explain.margin import Margin


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NETWORKS)
def test_heat_has_the_shape_of_the_image_is_finite_and_the_same_every_time(name, method):
    classifier = classifier_of(name)
    window = window_of(classifier)
    if name in SEQUENCES and method.endswith("cam"):
        with pytest.raises(RecipeError) as caught:
            explain(classifier, window, method=method)
        assert str(caught.value) == (
            "The network has no feature maps, so there is no class activation to draw. Choose integrated_gradients or "
            "occlusion: they explain every network."
        )
        return
    found = explain(classifier, window, method=method)
    encoding = classifier.encoding
    assert found.attribution.shape == found.image.shape == (encoding.channels, encoding.height, encoding.width)
    assert found.heat.shape == ((4, LENGTH) if name in SEQUENCES else (encoding.height, encoding.width))
    assert np.isfinite(found.attribution).all()
    assert np.abs(found.attribution).max() > 0 or method == "layer_cam"
    assert found.by_candle.shape == (LENGTH,)
    assert found.probabilities.sum() == pytest.approx(1.0)
    again = explain(classifier, window, method=method)
    assert np.array_equal(found.attribution, again.attribution)


@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_leave_nothing_out(name):
    """The sum of all shares is f(image) - f(blank), and so is the sum over candles where every pixel has one."""
    classifier = classifier_of(name)
    found = explain(classifier, window_of(classifier), method="integrated_gradients", target="buy")
    margin = Margin(classifier, CLASSES.index("buy"))
    images = torch.stack([classifier.encoding.blank(), torch.from_numpy(found.image)])
    nothing, everything = margin.of(images).tolist()
    assert found.facts["difference"] == pytest.approx(everything - nothing, abs=1e-5)
    assert found.attribution.sum() == pytest.approx(everything - nothing, rel=0.01, abs=2e-4)
    assert found.by_candle.sum() == pytest.approx(found.attribution.sum(), abs=1e-6)
    assert found.facts["complete"]


def test_an_explanation_sees_the_one_candle_that_a_network_looks_at():
    """A network made to look at one column of the chart only: every method must put its heat there."""
    encoding = create_encoding("candlestick", 8, height=32, width=32, volume=False)

    class LooksAtOneColumn(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x_BCHW):
            seen = x_BCHW[..., 20:23].mean(dim=(1, 2, 3)) * self.weight  # of candle 5
            return torch.stack([-seen, torch.zeros_like(seen), seen], dim=1)

    window = history(encoding.columns, 8).values
    for method in ("integrated_gradients", "occlusion"):
        found = explain(WindowClassifier(encoding, LooksAtOneColumn()).eval(), window, method=method, target="buy")
        assert np.abs(found.by_candle).argmax() == 5
        if method == "integrated_gradients":
            assert np.allclose(np.delete(found.by_candle, 5), 0.0)


def test_prices_of_a_chart_lie_within_the_window_and_fall_from_the_top():
    classifier = classifier_of("efficientnet")
    window = window_of(classifier)
    (axis,) = explain(classifier, window, method="occlusion").axes
    levels = [float(name) for name in axis.names[:-1]]
    assert axis.kind == "price"
    assert axis.names[-1] == "volume"
    assert levels == sorted(levels, reverse=True)
    assert window[:, 2].min() < levels[-1] < levels[0] < window[:, 1].max()


def test_a_layer_may_be_named_and_an_unknown_one_is_refused():
    classifier = classifier_of("lenet")
    layers = layers_of(classifier.network)
    found = explain(classifier, window_of(classifier), method="grad_cam", layer=layers[0])
    assert found.facts == {"layer": layers[0]}
    with pytest.raises(RecipeError) as caught:
        explain(classifier, window_of(classifier), method="grad_cam", layer="roof")
    assert str(caught.value) == f"The network has no layer 'roof' to explain. It has: {', '.join(layers)}."


def test_unknown_classes_and_unknown_values_are_refused():
    classifier = classifier_of("lenet")
    window = window_of(classifier)
    with pytest.raises(RecipeError) as caught:
        explain(classifier, window, target="moon")
    assert str(caught.value) == "There is no class 'moon' to explain. Classes: sell, hold, buy."
    window[3, 1] = np.nan
    with pytest.raises(DataError) as refused:
        explain(classifier, window)
    assert str(refused.value) == ("The window holds unknown values. Explain a later decision, or bring more candles.")


def test_explaining_leaves_the_network_as_it_was():
    classifier = classifier_of("efficientnet")
    window = window_of(classifier)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    for method in METHODS:
        explain(classifier, window, method=method)
    assert all(torch.equal(before[name], value) for name, value in classifier.state_dict().items())
    assert not any(module._forward_hooks for module in classifier.modules())
    assert all(parameter.grad is None for parameter in classifier.parameters())

"""The formulas of the papers on networks so small that every number can be worked out by hand.

The image of the maps is z = 2x - 1 = [[1, 0], [-1, 0.5]]. Two maps stand on it, A1 = 2z + 1 and A2 = -z, and the score
of a buy is the sum of V * A with V1 = [[1, -2], [3, 0]] and V2 = [[-4, 2], [1, -1]]; of sell and hold it is 0. So the
gradient of the log-odds of a buy is V, and that of the log-odds of a sell is -V times the probability of a buy against
a hold.
"""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from triptych.inference import WindowClassifier
from triptych.inference.explain.cam import class_activation
from triptych.inference.explain.integrated_gradients import integrated_gradients
from triptych.inference.explain.margin import Margin
from triptych.inference.explain.occlusion import occlusion
from triptych.models.feature_info import FeaturePoint as Point
from triptych.models.feature_info import choose_features

SELL, BUY = 0, 2
IMAGE = torch.tensor([[[[1.0, 0.5], [0.0, 0.75]]]])
SLOPES = torch.tensor([[[1.0, -2.0], [3.0, 0.0]], [[-4.0, 2.0], [1.0, -1.0]]])
SCORE = 3.5  # 3 - 2 - 3 + 0 of the first map, 4 + 0 + 1 + 0.5 of the second


class ByHand(nn.Module):
    """A score for buy that is any function of the image, and 0 for the others."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, z_BCHW):
        score = self.score(z_BCHW)
        return torch.stack([torch.zeros_like(score), torch.zeros_like(score), score], dim=1)


class TwoMaps(nn.Module):
    """Two maps, and a buy for the places where they are large."""

    def __init__(self, *, in_place: bool = False) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, 2, 1)
        self.after = nn.ReLU(inplace=True) if in_place else nn.Identity()
        with torch.no_grad():
            self.maps.weight[:] = torch.tensor([2.0, -1.0]).view(2, 1, 1, 1)
            self.maps.bias[:] = torch.tensor([1.0, 0.0])
        self.feature_info = choose_features((Point(module="maps", stage=1, num_chs=2, reduction=1),), None)

    def forward(self, z_BCHW):
        score = (self.after(self.maps(z_BCHW)) * SLOPES).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(score), torch.zeros_like(score), score], dim=1)


def margin_of(network: nn.Module, index: int = BUY) -> Margin:
    return Margin(WindowClassifier(nn.Identity(), network).eval(), index)


def scored(score, index: int = BUY) -> Margin:
    return margin_of(ByHand(score), index)


def test_what_is_explained_are_log_odds():
    found = margin_of(TwoMaps()).of(IMAGE)
    assert found.tolist() == pytest.approx([SCORE - math.log(2)])
    assert margin_of(TwoMaps(), SELL).of(IMAGE).tolist() == pytest.approx([-math.log(math.exp(SCORE) + 1)])
    probability = torch.softmax(TwoMaps()(2 * IMAGE - 1), dim=1)[0, BUY].item()
    assert found.item() == pytest.approx(math.log(probability / (1 - probability)), abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # Mean gradients 1/2 and -1/2: half of A1 - A2 = [[4, 1], [-2, 2.5]], and nothing where that is below 0.
        ("grad_cam", [[2.0, 0.5], [0.0, 1.25]]),
        # Positive gradients [[1, 0], [3, 0]] of A1 = [[3, 1], [-1, 2]], [[0, 2], [1, 0]] of A2 = [[-1, 0], [1, -0.5]].
        ("layer_cam", [[3.0, 0.0], [0.0, 0.0]]),
    ],
)
def test_class_activation_maps_of_a_buy(kind, expected):
    heat, layer = class_activation(margin_of(TwoMaps()), IMAGE, kind)
    assert layer == "maps"
    assert heat.tolist() == [pytest.approx(row) for row in expected]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # What spoke against a buy, [[4, 1], [-2, 2.5]] / -2 where that is above 0.
        ("grad_cam", [[0.0, 0.0], [1.0, 0.0]]),
        # Of -V above 0: [[0, 2], [0, 0]] of A1 and [[4, 0], [0, 1]] of A2.
        ("layer_cam", [[0.0, 2.0], [0.0, 0.0]]),
    ],
)
def test_class_activation_maps_of_a_sell_are_weighted_by_how_sure_of_the_rival_the_network_is(kind, expected):
    sure = 1 / (1 + math.exp(-SCORE))
    heat, _ = class_activation(margin_of(TwoMaps(), SELL), IMAGE, kind)
    assert heat.tolist() == [pytest.approx([sure * value for value in row]) for row in expected]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # No gradient where a map is not above 0: [[1, -2], [0, 0]] and [[0, 0], [1, 0]], of mean -1/4 and 1/4.
        ("grad_cam", [[0.0, 0.0], [0.5, 0.0]]),
        ("layer_cam", [[3.0, 0.0], [1.0, 0.0]]),
    ],
)
def test_maps_are_those_before_what_comes_after_has_changed_them_in_place(kind, expected):
    heat, _ = class_activation(margin_of(TwoMaps(in_place=True)), IMAGE, kind)
    assert heat.tolist() == [pytest.approx(row) for row in expected]


def test_small_maps_are_drawn_over_the_image_by_linear_interpolation():
    class Halved(TwoMaps):
        def forward(self, z_BCHW):
            return super().forward(nn.functional.avg_pool2d(z_BCHW, 2))

    large = IMAGE.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    heat, _ = class_activation(margin_of(Halved()), large, "grad_cam")
    assert heat.shape == (4, 4)
    assert heat[0].tolist() == pytest.approx([2.0, 0.75 * 2.0 + 0.25 * 0.5, 0.25 * 2.0 + 0.75 * 0.5, 0.5])
    assert heat[:, 3].tolist() == pytest.approx([0.5, 0.6875, 1.0625, 1.25])


@pytest.mark.parametrize(
    ("side", "grad_cam", "layer_cam"), [(32, "third", "second"), (16, "second", "first"), (2, "first", "first")]
)
def test_the_deepest_map_that_still_shows_where_is_looked_at(side, grad_cam, layer_cam):
    """Of at least 4 pixels a side for Grad-CAM, which gives each map one weight, and of 8 for LayerCAM."""

    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.names = ("first", "second", "third")
            for name in self.names:
                self.add_module(name, nn.AvgPool2d(2, ceil_mode=True))
            points = tuple(
                Point(module=name, stage=i, num_chs=1, reduction=2**i) for i, name in enumerate(self.names, 1)
            )
            self.feature_info = choose_features(points, None)

        def forward(self, z_BCHW):
            for name in self.names:
                z_BCHW = self.get_submodule(name)(z_BCHW)
            score = z_BCHW.sum(dim=(1, 2, 3))
            return torch.stack([-score, score, score], dim=1)

    image = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    assert class_activation(margin_of(Deep()), image, "grad_cam")[1] == grad_cam
    assert class_activation(margin_of(Deep()), image, "layer_cam")[1] == layer_cam


QUADRATIC = torch.tensor([[2.0, -1.0, 0.5, 0.0], [-1.0, 1.0, 0.0, 0.3], [0.5, 0.0, -3.0, 1.0], [0.0, 0.3, 1.0, 0.7]])
LINEAR = torch.tensor([0.2, -0.4, 0.1, 0.9])


def quadratic(z_BCHW):
    z = z_BCHW.flatten(1)
    return 0.5 * ((z @ QUADRATIC) * z).sum(dim=1) + z @ LINEAR


def test_integrated_gradients_of_a_quadratic_are_those_in_the_middle_of_the_way():
    """Of z'Qz / 2 + b'z the gradient is linear along the way: its mean is Q (z + z0) / 2 + b."""
    blank = torch.tensor([[[0.3, 0.5], [0.9, 0.0]]])
    found = integrated_gradients(scored(quadratic), IMAGE, blank)
    z, z0 = 2 * IMAGE.flatten() - 1, 2 * blank.flatten() - 1
    expected = (z - z0) * (QUADRATIC @ ((z + z0) / 2) + LINEAR)
    assert found.attribution.flatten().tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    difference = (quadratic(2 * IMAGE - 1) - quadratic(2 * blank[None] - 1)).item()
    assert found.total == pytest.approx(difference, abs=1e-6)
    assert found.difference == pytest.approx(difference, abs=1e-6)
    assert found.complete
    assert found.steps == 32


def test_integrated_gradients_of_another_class_count_all_rivals():
    """The shares of a sell add up to the fall of log(exp(score of buy) + 1), which is not a quadratic."""
    blank = torch.zeros(1, 2, 2)
    found = integrated_gradients(scored(quadratic, SELL), IMAGE, blank)
    here, there = (quadratic(2 * one - 1).item() for one in (IMAGE, blank[None]))
    assert found.total == pytest.approx(math.log(math.exp(there) + 1) - math.log(math.exp(here) + 1), rel=0.01)
    assert found.complete


def test_a_sharp_bend_takes_more_steps_and_a_leap_is_said_to_be_incomplete():
    """z goes from -1 to 1 and the score bends at 0.6, four fifths of the way: of 32 midpoints 6 lie beyond it, 18.75 %
    instead of 20 %; only of 256 they are 51, 19.92 %."""
    image, blank = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1)
    bent = integrated_gradients(scored(lambda z: 10 * torch.relu(z - 0.6).sum(dim=(1, 2, 3))), image, blank)
    assert bent.difference == pytest.approx(4.0)
    assert (bent.steps, bent.complete) == (256, True)
    assert bent.total == pytest.approx(20 * 51 / 256)
    leap = integrated_gradients(scored(lambda z: ((z > 0.6) + 0.0 * z).sum(dim=(1, 2, 3))), image, blank)
    assert leap.difference == pytest.approx(1.0)
    assert leap.total == 0.0
    assert (leap.steps, leap.complete) == (512, False)


def test_occluding_single_pixels_of_a_linear_network_gives_each_its_weight_times_what_it_differs_by():
    weights = torch.tensor([[3.0, -1.0], [0.5, 2.0]])
    blank = torch.tensor([[[0.5, 0.5], [0.5, 0.0]]])
    margin = scored(lambda z: (z * weights).sum(dim=(1, 2, 3)))
    found = occlusion(margin, IMAGE, blank, patch=(1, 1))
    assert found[0].tolist() == [pytest.approx([3.0, 0.0]), pytest.approx([-0.5, 3.0])]
    shares = integrated_gradients(margin, IMAGE, blank).attribution  # of a linear network there is no other answer
    assert found.flatten().tolist() == pytest.approx(shares.flatten().tolist(), abs=1e-6)


def test_a_patch_shares_what_it_takes_among_its_pixels():
    weights = torch.tensor([[3.0, -1.0], [0.5, 2.0]])
    margin = scored(lambda z: (z * weights).sum(dim=(1, 2, 3)))
    found = occlusion(margin, IMAGE, torch.zeros(1, 2, 2), patch=(2, 1))
    assert found[0].tolist() == [pytest.approx([3.0, 1.0])] * 2  # columns take 6 and -1 + 3


@pytest.mark.parametrize(
    ("shape", "patch", "tops", "lefts"),
    [
        ((2, 5, 7), (2, 3), [0, 1, 2, 3], [0, 1, 2, 3, 4]),
        ((1, 10, 6), (4, 5), [0, 2, 4, 6], [0, 1]),
        ((3, 4, 9), (4, 4), [0], [0, 2, 4, 5]),  # the last one at the far end
        ((3, 1, 6), (1, 2), [0], [0, 1, 2, 3, 4]),  # a sequence: its factors one by one
    ],
)
def test_occlusion_equals_painting_over_patch_by_patch(shape, patch, tops, lefts):
    draw = torch.Generator().manual_seed(3)
    weights, image, blank = (torch.rand(shape, generator=draw) for _ in range(3))
    margin = scored(lambda z: torch.sin(3 * (z * weights).sum(dim=(1, 2, 3))) + z.pow(2).mean(dim=(1, 2, 3)))
    before = margin(image[None]).item()
    layers = [[c] for c in range(shape[0])] if shape[1] == 1 else [list(range(shape[0]))]
    taken = {pixel: [] for pixel in product(*map(range, shape))}
    for channels, top, left in product(layers, tops, lefts):
        inside = list(product(channels, range(top, top + patch[0]), range(left, left + patch[1])))
        painted = image.clone()
        for pixel in inside:
            painted[pixel] = blank[pixel]
        lost = before - margin(painted[None]).item()
        for pixel in inside:
            taken[pixel].append(lost / len(inside))
    found = occlusion(margin, image[None], blank, patch)
    expected = np.array([np.mean(lost) for lost in taken.values()]).reshape(shape)
    assert np.allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert np.abs(expected).max() > 1e-3

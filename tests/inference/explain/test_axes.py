"""Shares of an axis: of the whole picture, with the areas beside the prices."""

import numpy as np
import pytest
import torch
from tests.fakes.explained import classifier_of, window_of
from tests.fakes.windows import history

from triptych.images import create_encoding
from triptych.inference import WindowClassifier
from triptych.inference.explain import METHODS, AxisImportance, explain

LENGTH = 8


class LooksAtRows(torch.nn.Module):
    """Reads some rows of the image: the brighter they are, the surer of a buy."""

    def __init__(self, rows: slice) -> None:
        super().__init__()
        self.rows = rows
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        seen = x_BCHW[:, :, self.rows].mean(dim=(1, 2, 3)) * self.weight
        return torch.stack([-seen, torch.zeros_like(seen), seen], dim=1)


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
@pytest.mark.parametrize("name", ["candlestick", "jkx"])
def test_what_rests_on_the_volumes_alone_is_shown_to_lie_there(name, method):
    encoding = create_encoding(name, LENGTH, height=40, **({"width": 32} if name == "candlestick" else {}))
    network = LooksAtRows(slice(-encoding.areas.volume, None))
    window = history(encoding.columns, LENGTH).values
    found = explain(WindowClassifier(encoding, network).eval(), window, method=method, target="buy")
    (axis,) = found.axes
    assert axis.names[-1] == "volume"
    assert axis.areas == 1
    (volume,) = axis.area_parts()
    assert axis.values.sum() + axis.outside == pytest.approx(found.attribution.sum())
    if method == "integrated_gradients":
        assert volume.share == 1.0
        assert volume.importance == pytest.approx(found.attribution.sum())
    else:  # a patch that is painted over reaches from the pane into the prices
        assert volume.share > 0.5
        assert volume.importance > np.abs(axis.values[:-1]).max()


def test_what_rests_on_prices_alone_has_nothing_in_the_volumes():
    encoding = create_encoding("candlestick", LENGTH, height=40, width=32)
    network = LooksAtRows(slice(0, encoding.areas.price))
    found = explain(WindowClassifier(encoding, network).eval(), history(encoding.columns, LENGTH).values, target="buy")
    (axis,) = found.axes
    assert axis.area_parts()[0].share == 0.0
    assert axis.parts(3)[-1].name == "volume"  # it is told all the same


def axis_of(**changes):
    content = {
        "kind": "price", "names": ("12", "11", "10", "volume"), "values": np.array([1.0, -2.0, 0.5, 6.0]), "areas": 1,
        "outside": -0.5,
    }  # fmt: skip
    return AxisImportance(**(content | changes))


def test_shares_are_of_the_whole_picture_and_every_row_of_a_table_together_makes_it():
    axis = axis_of()
    assert axis.shares.tolist() == [0.1, 0.2, 0.05, 0.6, 0.05]
    said = [(part.name, part.importance, pytest.approx(part.share)) for part in axis.parts(1)]
    assert said == [("11", -2.0, 0.2), ("the other 2", 1.5, 0.15), ("volume", 6.0, 0.6), ("elsewhere", -0.5, 0.05)]
    for count in (0, 1, 2, 3, 8):
        assert sum(part.share for part in axis.parts(count)) == pytest.approx(1.0)
        assert sum(part.importance for part in axis.parts(count)) == pytest.approx(5.0)
    assert [part.name for part in axis.parts(8)] == ["11", "12", "10", "volume", "elsewhere"]
    assert axis.leading(2) == [("volume", 6.0), ("11", -2.0)]
    assert axis.to_dict() == {
        "kind": "price", "names": ["12", "11", "10", "volume"], "importance": [1.0, -2.0, 0.5, 6.0],
        "share": [0.1, 0.2, 0.05, 0.6], "elsewhere": {"importance": -0.5, "share": 0.05},
    }  # fmt: skip


def test_other_axes_have_no_area_and_no_heat_has_no_share():
    axis = axis_of(kind="factor", areas=0, outside=0.0)
    assert [part.name for part in axis.parts(8)] == ["volume", "11", "12", "10"]
    assert axis_of(values=np.zeros(4), outside=0.0).shares.tolist() == [0.0] * 5


@pytest.mark.parametrize("method", METHODS)
def test_the_parts_of_a_chart_add_up_to_its_heat(method):
    classifier = classifier_of("efficientnet")
    found = explain(classifier, window_of(classifier), method=method)
    (axis,) = found.axes
    assert sum(part.importance for part in axis.parts(5)) == pytest.approx(found.attribution.sum(), abs=1e-9)
    assert axis.parts(5)[6].name == "volume"

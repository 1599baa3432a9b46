from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from triptych.domain.errors import DataError, RecipeError
from triptych.models import create_model
from triptych.models.sequence import PRESETS, SequenceNetwork

TINY: dict[str, dict[str, Any]] = {
    "xlstm": {"name": "xlstm_small", "sequence": {"width": 8, "blocks": 2, "heads": 2}},
    "xlstm, only sLSTM": {"name": "xlstm_minutes", "sequence": {"width": 8, "heads": 2}},
    "xlstm, large": {"name": "xlstm_small", "sequence": {"width": 8, "blocks": 1, "heads": 2, "kind": "large"}},
    "xlstm, mean": {"name": "xlstm_small", "sequence": {"width": 8, "blocks": 1, "heads": 2, "pool": "mean"}},
    "selection": {"name": "xlstm_small", "sequence": {"width": 8, "blocks": 1, "heads": 2, "selection": True}},
    "adaptive": {"name": "xlstm_adaptive", "sequence": {"width": 8, "blocks": 2, "heads": 2}},
    "timeframes": {"name": "xlstm_timeframes", "sequence": {"width": 8, "heads": 2, "periods": (1, 4)}},
    "timeframes, selection": {
        "name": "xlstm_timeframes",
        "sequence": {"width": 8, "heads": 2, "periods": (1, 4), "selection": True},
    },
    "lstm": {"name": "lstm", "sequence": {"width": 8}},
    "gru": {"name": "gru", "sequence": {"width": 8}},
    "tcn": {"name": "tcn", "sequence": {"width": 8, "blocks": 3}},
}
kinds = pytest.mark.parametrize("kind", TINY)
COLUMNS, LENGTH = 6, 20


def built(kind: str, **changes: Any) -> SequenceNetwork:
    options = TINY[kind] | changes
    wishes = TINY[kind]["sequence"] | changes.get("sequence", {})
    network = create_model(**(options | {"sequence": wishes}), in_chans=COLUMNS, num_classes=3, seed=0)
    assert isinstance(network, SequenceNetwork)
    return network


def drawn(batch: int = 3, length: int = LENGTH, seed: int = 0) -> Tensor:
    """What the encoding makes: (batch, columns, 1, time)."""
    return torch.randn(batch, COLUMNS, 1, length, generator=torch.Generator().manual_seed(seed))


@kinds
@pytest.mark.parametrize("batch", [1, 2, 5])
@torch.no_grad()
def test_rows_of_a_batch_do_not_see_one_another(kind: str, batch: int) -> None:
    network = built(kind).eval()
    windows = drawn(batch)
    together = network(windows)
    assert together.shape == (batch, 3)
    for row in range(batch):
        torch.testing.assert_close(network(windows[row : row + 1])[0], together[row], rtol=1e-5, atol=1e-6)


@kinds
@torch.no_grad()
def test_windows_of_any_length_are_read_and_the_first_candle_counts(kind: str) -> None:
    network = built(kind).eval()
    for length in (4, 5, 16, 33):
        assert network(drawn(length=length)).shape == (3, 3)
    if not kind.startswith("timeframes"):  # there the first candles may lie before what a longer timeframe reads
        other = drawn(length=8)
        other[:, :, :, 0] += 3.0
        assert not torch.equal(network(other), network(drawn(length=8)))


@kinds
def test_every_parameter_learns(kind: str) -> None:
    network = built(kind, sequence={"return_head": True})
    with torch.no_grad():
        for one in network.parameters():  # heads and gates that begin at zero would hide what lies before them
            one.add_(0.05 * torch.randn(one.shape, generator=torch.Generator().manual_seed(1)))
    scores, foretold = network.scores_and_return(drawn())
    assert foretold is not None
    (scores.square().sum() + foretold.square().sum()).backward()
    still = [name for name, one in network.named_parameters() if one.grad is None or not one.grad.any()]
    assert still == []


@kinds
def test_the_same_seed_builds_the_same_network(kind: str) -> None:
    one, same = built(kind).state_dict(), built(kind).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    torch.manual_seed(0)
    before = torch.rand(())
    torch.manual_seed(0)
    built(kind)
    assert torch.rand(()) == before  # nobody else's chance is touched


@kinds
def test_the_classifier_can_be_replaced_and_left_out(kind: str) -> None:
    network = built(kind).eval()
    network.reset_classifier(5)
    assert network(drawn()).shape == (3, 5)
    network.reset_classifier(0)
    assert network(drawn()).shape == (3, 8)
    network.reset_classifier(0, "")
    assert network(drawn()).shape[::2] == (3, 8)


@kinds
def test_training_brings_the_loss_down(kind: str) -> None:
    network = built(kind, sequence={"dropout": 0.0})
    windows = drawn(64, seed=2)
    labels = (windows[:, 0, 0, -4:].mean(dim=1) > 0).long() * 2
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(network(windows), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_the_foretold_return_begins_at_nothing_and_logits_do_not_depend_on_its_head() -> None:
    network = built("xlstm", sequence={"return_head": True}).eval()
    scores, foretold = network.scores_and_return(drawn())
    assert foretold is not None
    assert foretold.tolist() == [0.0, 0.0, 0.0]
    torch.testing.assert_close(scores, network(drawn()))
    assert built("xlstm").scores_and_return(drawn())[1] is None
    assert float(network.get_buffer("return_scale")) == 1.0


@pytest.mark.parametrize("kind", ["xlstm", "xlstm, only sLSTM", "xlstm, large", "selection"])
@torch.no_grad()
def test_steps_and_prefill_say_what_the_window_says(kind: str) -> None:
    network = built(kind).eval()
    windows = drawn()
    assert network.streams
    expected = network(windows)
    filled, state = network.prefill(windows[..., :11])
    torch.testing.assert_close(filled, network(windows[..., :11]), rtol=1e-5, atol=1e-5)
    for t in range(11, LENGTH):
        logits, state = network.step(windows[:, :, 0, t], state)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    state = network.fresh_state(3)
    for t in range(LENGTH):
        logits, state = network.step(windows[:, :, 0, t], state)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["xlstm, mean", "adaptive", "timeframes", "lstm", "tcn"])
def test_networks_that_look_at_the_window_as_a_whole_cannot_be_streamed(kind: str) -> None:
    network = built(kind)
    assert not network.streams
    with pytest.raises(RecipeError) as caught:
        network.fresh_state(1)
    assert str(caught.value) == (
        f"{TINY[kind]['name']} cannot be streamed candle by candle: it looks at its window as a whole. "
        "Choose an xlstm with pool = last, one timeframe, and no adaptive depth."
    )


@pytest.mark.parametrize("kind", ["selection", "adaptive", "timeframes", "tcn"])
@torch.no_grad()
def test_exports_as_one_graph_for_any_batch(kind: str) -> None:
    network = built(kind).eval()
    program = torch.export.export(network, (drawn(2, 8),), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    torch.testing.assert_close(program.module()(drawn(5, 8)), network(drawn(5, 8)), rtol=1e-4, atol=1e-5)


def test_what_is_no_sequence_of_its_columns_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        built("lstm")(torch.zeros(2, 3, 1, 8))
    assert str(caught.value) == (
        "Expected sequences of shape (batch, 6, 1, time), was (2, 3, 1, 8). "
        "Choose the encoding `sequence` with as many columns."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"name": "lstm", "sequence": {"adaptive": True}},
            "lstm has no adaptive: only an xlstm has. Leave out adaptive.",
        ),
        ({"name": "gru", "sequence": {"periods": (1, 4)}}, "gru has no periods: only an xlstm has. Leave out periods."),
        ({"name": "tcn", "sequence": {"kernel": 1}}, "tcn: kernel must be at least 2, was 1. Set it to 3."),
        (
            {"name": "xlstm_small", "sequence": {"heads": 3}},
            "xlstm: 3 heads do not divide the 64 features of an sLSTM block. Set heads to one of 1, 2, 4, 8, 16, 32.",
        ),
        (
            {"name": "xlstm_small", "sequence": {"heads": 0, "widht": 8}},
            "xlstm_small: heads: Input should be greater than or equal to 1 (was 0); there is no key 'widht'. "
            "`triptych recipe show` prints the keys of model.sequence.",
        ),
        (
            {"name": "xlstm_timeframes", "sequence": {"adaptive": True, "periods": (1, 2)}},
            "Adaptive depth and several timeframes do not go together. "
            "Set sequence.adaptive to false, or sequence.periods to an empty list.",
        ),
        (
            {"name": "xlstm_timeframes", "sequence": {"periods": (1, 4, 4)}},
            "Timeframes must be different numbers of candles, was [1, 4, 4]. "
            "Write sequence.periods such as [1, 4, 16].",
        ),
        (
            {"name": "xlstm_timeframes", "sequence": {"periods": (1, 2, 4, 8)}},
            "6 columns cannot be shared by 4 timeframes. Every timeframe has the same columns: set encoding.channels "
            "to the number of timeframes, and set features.periods to the same list.",
        ),
        (
            {"name": "xlstm_small", "features_only": True},
            "xlstm_small reads sequences and has no feature maps. "
            "Leave out features_only; forward_features gives the features of every step.",
        ),
        (
            {"name": "lstm", "global_pool": "max"},
            "A network of sequences has no global_pool 'max'. Leave it at avg, and choose by sequence.pool: last or "
            "mean.",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        create_model(**options, in_chans=COLUMNS, num_classes=3)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_can_be_built(name: str) -> None:
    with torch.device("meta"):
        network = create_model(name, in_chans=12, num_classes=3)
    assert isinstance(network, SequenceNetwork)

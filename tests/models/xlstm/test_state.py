from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load, save

from triptych.domain.errors import ArtifactError
from triptych.models.xlstm import Config, XLSTMStack

CONFIG = Config(width=16, blocks=2, heads=2, slstm_at=(1,))


def continued() -> tuple[XLSTMStack, bytes]:
    stack = XLSTMStack(CONFIG, seed=0).eval()
    x = torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return stack, stack.save_state(stack(x)[1])


@torch.no_grad()
def test_a_state_survives_being_saved_bit_for_bit() -> None:
    stack, data = continued()
    x = torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(1))
    _, state = stack(torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(stack(x, state)[0], stack(x, stack.load_state(data))[0])
    again, kept = load(stack.save_state(state)), load(data)
    assert again.keys() == kept.keys()
    assert all(torch.equal(again[name], kept[name]) for name in kept)


def test_a_state_of_a_stack_that_differs_in_dropout_only_fits() -> None:
    _, data = continued()
    other = XLSTMStack(CONFIG.model_copy(update={"dropout": 0.3, "chunk": 16}))
    assert other.load_state(data).batch == 3


def test_a_state_of_another_stack_is_refused_by_what_differs() -> None:
    _, data = continued()
    with pytest.raises(ArtifactError) as caught:
        XLSTMStack(Config(width=16, blocks=2, heads=4, slstm_at=(1,))).load_state(data)
    assert str(caught.value) == (
        "The state belongs to another stack: heads 2 (here 4). "
        "Load it with the network that made it, or begin with a fresh state."
    )


def test_a_state_of_another_format_is_refused() -> None:
    stack, data = continued()
    with pytest.raises(ArtifactError) as caught:
        stack.load_state(save(load(data), {"format": "99"}))
    assert str(caught.value) == (
        "The state has format 99, and this version reads format 1. Begin with a fresh state and feed it a window."
    )
    with pytest.raises(ArtifactError) as caught:
        stack.load_state(save(load(data)))
    assert str(caught.value).startswith("The state has format none,")


def test_damaged_bytes_are_refused() -> None:
    stack, data = continued()
    for damaged in (b"", data[:40], data[:-5]):
        with pytest.raises(ArtifactError, match=r"^These bytes are no state of an xLSTM: "):
            stack.load_state(damaged)


def test_a_state_whose_tensors_have_other_shapes_is_refused() -> None:
    stack, data = continued()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    tensors = load(data)
    tensors["0.0"] = tensors["0.0"][:2]
    with pytest.raises(ArtifactError) as caught:
        stack.load_state(save(tensors, header))
    assert str(caught.value) == (
        "These bytes are no state of an xLSTM: its tensors have other shapes than those of the stack. "
        "Begin with a fresh state and feed it a window."
    )


@torch.no_grad()
def test_rows_are_chosen_by_place_or_mask() -> None:
    stack, data = continued()
    state = stack.load_state(data)
    by_place, by_mask = state.rows(torch.tensor([0, 2])), state.rows(torch.tensor([True, False, True]))
    assert by_place.batch == 2
    for one, other in zip(by_place.blocks, by_mask.blocks, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

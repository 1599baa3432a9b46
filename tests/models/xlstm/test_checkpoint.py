from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from triptych.domain.errors import ArtifactError
from triptych.models.xlstm import Config, XLSTMStack, load_reference

CONFIG = Config(width=8, blocks=2, heads=2, slstm_at=(1,))
LARGE = Config(kind="large", width=8, blocks=1, heads=2)


def reference_weights() -> dict[str, Tensor]:
    """Shapes and names of the reference for CONFIG, every tensor with values of its own."""
    shapes: dict[str, tuple[int, ...]] = {"post_blocks_norm.weight": (8,)}
    mlstm = {
        "xlstm_norm.weight": (8,),
        "xlstm.proj_up.weight": (128, 8),
        "xlstm.q_proj.weight": (16, 4, 4),
        "xlstm.k_proj.weight": (16, 4, 4),
        "xlstm.v_proj.weight": (16, 4, 4),
        "xlstm.conv1d.conv.weight": (64, 1, 4),
        "xlstm.conv1d.conv.bias": (64,),
        "xlstm.mlstm_cell.igate.weight": (2, 192),
        "xlstm.mlstm_cell.igate.bias": (2,),
        "xlstm.mlstm_cell.fgate.weight": (2, 192),
        "xlstm.mlstm_cell.fgate.bias": (2,),
        "xlstm.mlstm_cell.outnorm.weight": (64,),
        "xlstm.learnable_skip": (64,),
        "xlstm.proj_down.weight": (8, 64),
    }
    slstm = {
        "xlstm_norm.weight": (8,),
        "xlstm.conv1d.conv.weight": (8, 1, 4),
        "xlstm.conv1d.conv.bias": (8,),
        "xlstm.fgate.weight": (2, 4, 4),
        "xlstm.igate.weight": (2, 4, 4),
        "xlstm.zgate.weight": (2, 4, 4),
        "xlstm.ogate.weight": (2, 4, 4),
        "xlstm.slstm_cell._recurrent_kernel_": (2, 16, 4),
        "xlstm.slstm_cell._bias_": (32,),
        "xlstm.group_norm.weight": (8,),
        "ffn_norm.weight": (8,),
        "ffn.proj_up.weight": (128, 8),
        "ffn.proj_down.weight": (8, 64),
    }
    shapes |= {f"blocks.0.{name}": shape for name, shape in mlstm.items()}
    shapes |= {f"blocks.1.{name}": shape for name, shape in slstm.items()}
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_the_references_swapped_gates_are_put_right() -> None:
    stack, weights = XLSTMStack(CONFIG), reference_weights()
    load_reference(stack, weights)
    layer = stack.blocks[1].layer
    first_head = layer.input_and_forget.weight[0]
    assert torch.equal(first_head[:4], weights["blocks.1.xlstm.fgate.weight"][0])  # what they call fgate feeds ours' i
    assert torch.equal(first_head[4:], weights["blocks.1.xlstm.igate.weight"][0])
    proposal = layer.proposal_and_output.weight[1]
    assert torch.equal(proposal[:4], weights["blocks.1.xlstm.zgate.weight"][1])
    assert torch.equal(proposal[4:], weights["blocks.1.xlstm.ogate.weight"][1])


def test_recurrent_matrix_and_biases_change_their_layout() -> None:
    stack, weights = XLSTMStack(CONFIG), reference_weights()
    load_reference(stack, weights)
    layer = stack.blocks[1].layer
    assert torch.equal(layer.recurrent[1], weights["blocks.1.xlstm.slstm_cell._recurrent_kernel_"][1].T)
    # Gate by gate, then head by head: the forget biases of head 1 are numbers 12 to 15 of theirs.
    assert torch.equal(layer.bias[1, 4:8], weights["blocks.1.xlstm.slstm_cell._bias_"][12:16])


def test_a_file_and_a_prefix_are_understood_and_strangers_left_alone(tmp_path: Path) -> None:
    weights = {f"backbone.{name}": one for name, one in reference_weights().items()}
    file = tmp_path / "weights.safetensors"
    save_file(weights | {"lm_head.weight": torch.zeros(3)}, file)
    one, other = XLSTMStack(CONFIG), XLSTMStack(CONFIG)
    load_reference(one, file)
    load_reference(other, reference_weights())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_what_does_not_fit_is_named_and_nothing_is_loaded() -> None:
    stack, weights = XLSTMStack(CONFIG, seed=0), reference_weights()
    before = {name: one.clone() for name, one in stack.state_dict().items()}
    del weights["blocks.0.xlstm.learnable_skip"]
    weights["blocks.1.xlstm.surplus"] = torch.zeros(1)
    weights["post_blocks_norm.weight"] = torch.zeros(9)
    with pytest.raises(ArtifactError) as caught:
        load_reference(stack, weights)
    assert str(caught.value) == (
        "The checkpoint does not fit the stack: post_blocks_norm.weight makes [9], and norm.weight is [8]; "
        "blocks.0.xlstm.learnable_skip is missing; blocks.1.xlstm.surplus is not expected. "
        "Configure the stack as the checkpoint's: width, blocks, slstm_at, heads, kernel and factors."
    )
    assert all(torch.equal(one, before[name]) for name, one in stack.state_dict().items())


def test_large_checkpoints_load_with_norms_scaled_from_one() -> None:
    shapes = {
        "norm_mlstm.weight": (8,),
        "mlstm_layer.q.weight": (4, 8),
        "mlstm_layer.k.weight": (4, 8),
        "mlstm_layer.v.weight": (8, 8),
        "mlstm_layer.ogate_preact.weight": (8, 8),
        "mlstm_layer.igate_preact.weight": (2, 8),
        "mlstm_layer.igate_preact.bias": (2,),
        "mlstm_layer.fgate_preact.weight": (2, 8),
        "mlstm_layer.fgate_preact.bias": (2,),
        "mlstm_layer.multihead_norm.weight": (8,),
        "mlstm_layer.out_proj.weight": (8, 8),
        "norm_ffn.weight": (8,),
        "ffn.proj_up_gate.weight": (64, 8),
        "ffn.proj_up.weight": (64, 8),
        "ffn.proj_down.weight": (8, 64),
    }
    weights = {f"blocks.0.{name}": torch.randn(shape) for name, shape in shapes.items()}
    weights["out_norm.weight"] = torch.ones(8)
    stack = XLSTMStack(LARGE)
    load_reference(stack, weights)
    block = stack.blocks[0]
    torch.testing.assert_close(1.0 + block.head_norm.weight, weights["blocks.0.mlstm_layer.multihead_norm.weight"])
    assert torch.equal(block.feedforward.up.weight[:64], weights["blocks.0.ffn.proj_up_gate.weight"])
    assert torch.equal(block.feedforward.up.weight[64:], weights["blocks.0.ffn.proj_up.weight"])

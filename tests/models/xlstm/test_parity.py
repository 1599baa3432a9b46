"""Equal to the public package xlstm 2.0.6 on weights filled by rule."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from triptych.models.xlstm import Config, XLSTMStack, load_reference

CASES = ("xlstm_mixed", "xlstm_mlstm_only", "xlstm_slstm_only")


def filled(name: str, shape: tuple[int, ...]) -> Tensor:
    """A weight of the reference by its name."""
    z = np.asarray(np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF).standard_normal(shape))
    if name.endswith("bias"):
        z = 0.1 * z
    elif z.ndim >= 2:
        z = z / np.sqrt(np.prod(shape[1:]))
    else:
        z = 1.0 + 0.1 * z
    return torch.from_numpy(z.astype(np.float32))


def case_of(folder: Path, case: str) -> tuple[XLSTMStack, Tensor, Tensor, dict[str, object]]:
    """Our stack with the reference's weights, its input and its output."""
    facts = json.loads((folder / f"{case}.json").read_text())
    at = facts["slstm_at"]
    stack = XLSTMStack(
        Config(
            width=facts["embedding_dim"],
            blocks=facts["num_blocks"],
            heads=facts["num_heads"],
            kernel=facts["conv1d_kernel_size"],
            block_size=facts["qkv_proj_blocksize"],
            feedforward_factor=facts["ff_proj_factor"],
            activation=facts["ff_act"],
            slstm_at=tuple(range(facts["num_blocks"])) if at == "all" else tuple(at),
        )
    ).eval()
    load_reference(stack, {name: filled(name, tuple(shape)) for name, shape in facts["state"].items()})
    shape = (3, facts["context_length"], facts["embedding_dim"])
    x = torch.from_numpy(np.random.RandomState(7).standard_normal(shape).astype(np.float32))
    return stack, x, torch.from_numpy(np.load(folder / f"{case}.npz")["y"]), facts


def assert_equal_but_for_rounding(ours: Tensor, theirs: Tensor) -> None:
    """To rtol 1e-4 and atol 1e-5, but for a thousandth of the outputs.

    Where the normaliser of an mLSTM nearly cancels single precision loses digits: in a few places of 9,216 the
    reference itself lies 6e-5 from what double precision says.
    """
    error = (ours - theirs).abs()
    assert error.max() < 2e-4
    assert (error <= 1e-5 + 1e-4 * theirs.abs()).double().mean() > 0.999


@pytest.mark.parametrize("case", CASES)
def test_the_stack_is_the_same_function_as_the_reference(case: str, parity_folder: Path) -> None:
    stack, x, expected, facts = case_of(parity_folder, case)
    assert sum(one.numel() for one in stack.parameters()) == facts["parameters"]
    with torch.no_grad():
        y, state = stack(x)
    assert_equal_but_for_rounding(y, expected)
    assert state.batch == 3


@pytest.mark.parametrize("case", CASES)
def test_steps_are_the_same_function_as_the_reference(case: str, parity_folder: Path) -> None:
    stack, x, expected, _ = case_of(parity_folder, case)
    state, steps = None, []
    with torch.no_grad():
        for t in range(x.shape[1]):
            y, state = stack.step(x[:, t], state)
            steps.append(y)
    assert_equal_but_for_rounding(torch.stack(steps, dim=1), expected)


@pytest.mark.parametrize("case", CASES)
def test_double_precision_and_plain_operations_give_the_same(case: str, parity_folder: Path) -> None:
    stack, x, expected, _ = case_of(parity_folder, case)
    with torch.no_grad():
        y, _ = stack.double()(x.double())
    assert_equal_but_for_rounding(y, expected.double())

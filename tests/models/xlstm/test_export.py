"""One graph: nothing in a stack branches on data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from triptych.models.xlstm import Config, StackState, XLSTMStack

SHAPES = {
    "mixed": Config(width=16, blocks=2, heads=2, slstm_at=(1,)),
    "large": Config(kind="large", width=16, blocks=1, heads=2),
}
shapes = pytest.mark.parametrize("shape", SHAPES)


def stack_of(shape: str) -> XLSTMStack:
    stack = XLSTMStack(SHAPES[shape], seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for one in stack.parameters():
            one.add_(0.1 * torch.randn(one.shape, generator=generator))
    return stack


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


class Flat(nn.Module):
    """A stack whose state goes in and out as a list of tensors."""

    def __init__(self, stack: XLSTMStack, is_step: bool) -> None:
        super().__init__()
        self.stack, self.is_step = stack, is_step
        self.counts = [len(block) for block in stack.fresh_state(1).blocks]

    def forward(self, x: Tensor, *flat: Tensor) -> tuple[Tensor, ...]:
        given = list(flat)
        state = StackState(tuple(tuple(given.pop(0) for _ in range(count)) for count in self.counts))
        out, after = (self.stack.step if self.is_step else self.stack)(x, state)
        return out, *(one for block in after.blocks for one in block)


def flat(state: StackState) -> tuple[Tensor, ...]:
    return tuple(one for block in state.blocks for one in block)


def test_exports_where_gradients_are_on() -> None:
    stack, x = stack_of("mixed"), drawn(2, 5, 16)
    assert torch.is_grad_enabled()
    program = torch.export.export(stack, (x,))
    torch.testing.assert_close(program.module()(x)[0], stack(x)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("shape", "is_step"), [("mixed", False), ("mixed", True), ("large", False)])
def test_compiles_as_one_graph(shape: str, is_step: bool) -> None:
    stack = stack_of(shape)
    form = Flat(stack, is_step)
    x = drawn(2, 16) if is_step else drawn(2, 5, 16)
    state = flat(stack.fresh_state(2))
    torch._dynamo.reset()
    compiled = torch.compile(form, fullgraph=True, backend="eager")  # the whole graph, without generating code
    for ours, theirs in zip(compiled(x, *state), form(x, *state), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_gradients_of_the_compiled_graph_are_those_of_the_loops() -> None:
    stack, x = stack_of("mixed"), drawn(2, 5, 16)
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: stack(x)[0], fullgraph=True, backend="aot_eager")

    def gradients(run: object) -> list[Tensor]:
        stack.zero_grad()
        run(x).square().sum().backward()  # type: ignore[operator]
        return [one.grad.clone() for one in stack.parameters() if one.grad is not None]

    for ours, theirs in zip(gradients(compiled), gradients(lambda x: stack(x)[0]), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@shapes
@torch.no_grad()
def test_exports_for_any_batch(shape: str) -> None:
    stack = stack_of(shape)
    form = Flat(stack, is_step=False)
    batch = torch.export.Dim("batch", min=1)
    arguments = (drawn(2, 5, 16), *flat(stack.fresh_state(2)))
    program = torch.export.export(
        form, arguments, dynamic_shapes={"x": {0: batch}, "flat": tuple({0: batch} for _ in arguments[1:])}
    )
    x, state = drawn(5, 5, 16), flat(stack.fresh_state(5))
    for ours, theirs in zip(program.module()(x, *state), form(x, *state), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("shape", "is_step"), [("mixed", False), ("mixed", True), ("large", True)])
@pytest.mark.filterwarnings("ignore")  # the exporter warns about its own internals
@torch.no_grad()
def test_the_onnx_graph_answers_as_the_stack_does(shape: str, is_step: bool, tmp_path: Path) -> None:
    stack = stack_of(shape)
    form = Flat(stack, is_step)
    _, begun = stack(drawn(3, 4, 16))
    x, state = drawn(3, 16) if is_step else drawn(3, 5, 16), flat(begun)
    names = [f"state_{i}" for i in range(len(state))]
    batch = torch.export.Dim("batch", min=1)
    program = torch.onnx.export(
        form,
        (x, *state),
        dynamo=True,
        opset_version=18,
        input_names=["x", *names],
        output_names=["y", *(f"{name}_after" for name in names)],
        dynamic_shapes={"x": {0: batch}, "flat": tuple({0: batch} for _ in state)},
        verbose=False,
    )
    assert program is not None
    program.save(tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx", providers=["CPUExecutionProvider"])
    given = {"x": x.numpy()} | {name: one.numpy() for name, one in zip(names, state, strict=True)}
    for ours, theirs in zip(session.run(None, given), form(x, *state), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)

"""Weights of the public package `xlstm` (2.0.6) in our layout.

Its sLSTM layer feeds what it calls `fgate` to the input gate and `igate` to the forget gate (NX-AI/xlstm, issue 98);
its checkpoints depend on that, so the two are exchanged here. Its sLSTM cell keeps the recurrent matrix as (heads, 4 *
head width, head width), outputs first, and the biases gate by gate; ours come head by head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from triptych.domain.errors import ArtifactError
from triptych.models.safetensors_file import read_safetensors
from triptych.models.xlstm.config import Config
from triptych.models.xlstm.stack import XLSTMStack

Sources = dict[str, tuple[tuple[str, ...], Callable[..., Tensor]]]
"""Name of ours -> names of theirs, and what makes ours of them."""


def load_reference(stack: XLSTMStack, weights: Mapping[str, Tensor] | Path) -> None:
    """Fill a stack in place with the weights of a reference stack, wholly or not at all.

    Args:
        stack: of the same shape; `kind = "residual"` takes an xLSTMBlockStack, `"large"` an xLSTMLargeBlockStack with
            single weights.
        weights: its state dict, or a .safetensors file with it. Names may have a prefix, such as `backbone.`; what
            lies outside the stack (embedding, classifier) is left alone.

    Raises ArtifactError naming what is missing, left over or of another shape.
    """
    tensors = dict(read_safetensors(weights) if isinstance(weights, Path) else weights)
    prefix = next((name[: name.index("blocks.")] for name in tensors if "blocks." in name), "")
    ends = ("blocks.", "post_blocks_norm.", "out_norm.")
    theirs = {name[len(prefix) :]: one for name, one in tensors.items() if name.startswith(prefix)}
    theirs = {name: one for name, one in theirs.items() if name.startswith(ends)}
    own = {name: tuple(one.shape) for name, one in stack.state_dict().items()}
    made: dict[str, Tensor] = {}
    problems: list[str] = []
    used: set[str] = set()
    for name, (sources, convert) in _sources(stack.config).items():
        missing = [source for source in sources if source not in theirs]
        used.update(sources)
        if missing:
            problems.append(f"{missing[0]} is missing")
            continue
        try:
            made[name] = convert(*(theirs[source] for source in sources))
        except RuntimeError:
            problems.append(f"{sources[0]} is {list(theirs[sources[0]].shape)}")
            continue
        if tuple(made[name].shape) != own[name]:
            problems.append(f"{sources[0]} makes {list(made[name].shape)}, and {name} is {list(own[name])}")
    problems += [f"{name} is not expected" for name in theirs if name not in used]
    if problems:
        shown = "; ".join(problems[:5]) + (f" and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise ArtifactError(
            f"The checkpoint does not fit the stack: {shown}.",
            remedy="Configure the stack as the checkpoint's: width, blocks, slstm_at, heads, kernel and factors.",
        )
    stack.load_state_dict(made)


def _same(one: Tensor) -> Tensor:
    return one


def _sources(config: Config) -> Sources:
    if config.kind == "large":
        return _of_large(config)
    found: Sources = {"norm.weight": (("post_blocks_norm.weight",), _same)}
    for place in range(config.blocks):
        is_slstm = place in config.slstm_places
        parts = _of_slstm(config) if is_slstm else _of_mlstm(config)
        for name, (sources, convert) in parts.items():
            found[f"blocks.{place}.{name}"] = (tuple(f"blocks.{place}.{source}" for source in sources), convert)
    return found


_MLSTM: Final = {
    "norm.weight": "xlstm_norm.weight",
    "layer.up.weight": "xlstm.proj_up.weight",
    "layer.query.weight": "xlstm.q_proj.weight",
    "layer.key.weight": "xlstm.k_proj.weight",
    "layer.value.weight": "xlstm.v_proj.weight",
    "layer.input_gate.weight": "xlstm.mlstm_cell.igate.weight",
    "layer.input_gate.bias": "xlstm.mlstm_cell.igate.bias",
    "layer.forget_gate.weight": "xlstm.mlstm_cell.fgate.weight",
    "layer.forget_gate.bias": "xlstm.mlstm_cell.fgate.bias",
    "layer.norm.weight": "xlstm.mlstm_cell.outnorm.weight",
    "layer.skip": "xlstm.learnable_skip",
    "layer.down.weight": "xlstm.proj_down.weight",
}
_CONVOLUTION: Final = {
    "layer.convolution.conv.weight": "xlstm.conv1d.conv.weight",
    "layer.convolution.conv.bias": "xlstm.conv1d.conv.bias",
}
_FEEDFORWARD: Final = {
    "feedforward_norm.weight": "ffn_norm.weight",
    "feedforward.up.weight": "ffn.proj_up.weight",
    "feedforward.down.weight": "ffn.proj_down.weight",
}
_LARGE: Final = {
    "norm.weight": "norm_mlstm.weight",
    "query.weight": "mlstm_layer.q.weight",
    "key.weight": "mlstm_layer.k.weight",
    "value.weight": "mlstm_layer.v.weight",
    "output_gate.weight": "mlstm_layer.ogate_preact.weight",
    "input_gate.weight": "mlstm_layer.igate_preact.weight",
    "input_gate.bias": "mlstm_layer.igate_preact.bias",
    "forget_gate.weight": "mlstm_layer.fgate_preact.weight",
    "forget_gate.bias": "mlstm_layer.fgate_preact.bias",
    "down.weight": "mlstm_layer.out_proj.weight",
    "feedforward_norm.weight": "norm_ffn.weight",
    "feedforward.down.weight": "ffn.proj_down.weight",
}


def _taken(names: Mapping[str, str]) -> Sources:
    return {ours: ((theirs,), _same) for ours, theirs in names.items()}


def _of_mlstm(config: Config) -> Sources:
    return _taken(_MLSTM | (_CONVOLUTION if config.kernel else {}))


def _of_slstm(config: Config) -> Sources:
    heads, width = config.heads, config.width // config.heads

    def recurrent(one: Tensor) -> Tensor:
        return one.transpose(1, 2).contiguous()

    def bias(one: Tensor) -> Tensor:
        return one.reshape(4, heads, width).transpose(0, 1).flatten(1)

    def joined(one: Tensor, other: Tensor) -> Tensor:
        return torch.cat([one, other], dim=1)

    names = {"norm.weight": "xlstm_norm.weight", "layer.norm.weight": "xlstm.group_norm.weight"}
    names |= _CONVOLUTION if config.kernel else {}
    names |= _FEEDFORWARD if config.feedforward_width else {}
    return {
        **_taken(names),
        "layer.input_and_forget.weight": (("xlstm.fgate.weight", "xlstm.igate.weight"), joined),
        "layer.proposal_and_output.weight": (("xlstm.zgate.weight", "xlstm.ogate.weight"), joined),
        "layer.recurrent": (("xlstm.slstm_cell._recurrent_kernel_",), recurrent),
        "layer.bias": (("xlstm.slstm_cell._bias_",), bias),
    }


def _of_large(config: Config) -> Sources:
    parts = _taken(_LARGE)
    # Ours scales by 1 + weight there.
    parts["head_norm.weight"] = (("mlstm_layer.multihead_norm.weight",), lambda one: one - 1.0)
    parts["feedforward.up.weight"] = (
        ("ffn.proj_up_gate.weight", "ffn.proj_up.weight"),
        lambda gate, value: torch.cat([gate, value]),
    )
    found: Sources = {"norm.weight": (("out_norm.weight",), _same)}
    for place in range(config.blocks):
        for name, (sources, convert) in parts.items():
            found[f"blocks.{place}.{name}"] = (tuple(f"blocks.{place}.{source}" for source in sources), convert)
    return found

"""When a cell may run as a compiled loop, and when its operations must stay visible."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """A context in which mixed precision is off: a recurrence adds up what half precision rounds away."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def is_eager(x: Tensor) -> bool:
    """Whether operations run now, on values: nothing is compiled, exported, traced or transformed."""
    return (
        type(x) in (Tensor, torch.nn.Parameter)
        and not torch.compiler.is_compiling()
        and not torch.compiler.is_exporting()
        and torch._C._get_tracing_state() is None
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
    )


def takes_kernel(*tensors: Tensor) -> bool:
    """Whether a compiled loop may read these tensors: single precision on the CPU, eagerly.

    Training may take it as well, the loops having backward passes of their own.
    """
    return all(one.is_cpu and one.dtype == torch.float32 for one in tensors) and is_eager(tensors[0])

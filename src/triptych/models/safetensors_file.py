"""Reading weights: safetensors only, because a pickle can run code when it is opened."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from triptych.domain.errors import ArtifactError

_PICKLE_SUFFIXES = frozenset({".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle", ".tar"})
# torch.save writes a zip archive, older versions and pickle itself start with a protocol mark.
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file by name, on the CPU.

    Raises ArtifactError when the file is missing, is a pickle (by name or by content), is damaged, or holds a weight
    that is not a number.
    """
    if not path.is_file():
        raise ArtifactError(
            f"There is no weights file {path}.", remedy="Check the path; a .safetensors file is expected."
        )
    with path.open("rb") as file:
        start = file.read(4)
    if path.suffix.lower() in _PICKLE_SUFFIXES or start.startswith(_PICKLE_STARTS):
        raise ArtifactError(
            f"{path} is a pickle, and opening a pickle can run code.",
            remedy="Convert it once, in Python: "
            "safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'weights.safetensors').",
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtifactError(
            f"{path} cannot be read as safetensors: {error}.", remedy="Download or export the file again."
        ) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ArtifactError(
                f"{path} holds NaN or infinity in {name}.", remedy="Use weights of a training that did not diverge."
            )
    return tensors

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from triptych.domain.errors import ArtifactError
from triptych.models.safetensors_file import read_safetensors


def message_of(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_safetensors(path)
    return str(caught.value)


def test_tensors_come_back_by_name(tmp_path: Path) -> None:
    save_file({"a": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)}, tmp_path / "w.safetensors")
    tensors = read_safetensors(tmp_path / "w.safetensors")
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {"a": [1.0, 2.0], "n": 3}


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.bin", "w.ckpt", "disguised.safetensors"])
def test_a_pickle_is_never_opened_whatever_its_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    torch.save({"a": torch.zeros(1)}, path)
    assert message_of(path) == (
        f"{path} is a pickle, and opening a pickle can run code. Convert it once, in Python: "
        "safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'weights.safetensors')."
    )


def test_a_bare_pickle_is_recognised_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(pickle.dumps({"a": 1}))
    assert "is a pickle" in message_of(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    assert message_of(path) == f"There is no weights file {path}. Check the path; a .safetensors file is expected."
    assert (
        message_of(tmp_path) == f"There is no weights file {tmp_path}. Check the path; a .safetensors file is expected."
    )


@pytest.mark.parametrize("keep", [0, 4, 40, -8])
def test_a_cut_file_is_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    message = message_of(path)
    assert message.startswith(f"{path} cannot be read as safetensors: ")
    assert message.endswith(". Download or export the file again.")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(value: float, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(2), "b": torch.tensor([0.0, value])}, path)
    assert message_of(path) == f"{path} holds NaN or infinity in b. Use weights of a training that did not diverge."

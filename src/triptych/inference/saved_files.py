"""Files of a saved model beside its card: their hashes, and that they are the ones the card was written for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from triptych.domain.errors import ArtifactError


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_damaged(folder: Path, files: Mapping[str, str | None], *, remedy: str) -> None:
    """Raise ArtifactError for a file that is missing or has not the hash in `files`, the first one named first."""
    for name, expected in files.items():
        if not (folder / name).exists():
            raise ArtifactError(f"{folder} is damaged: {name} is missing.", remedy=remedy)
        if sha256_of(folder / name) != expected:
            raise ArtifactError(
                f"{folder / name} is damaged: it is not the file its card was written for.", remedy=remedy
            )

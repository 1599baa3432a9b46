"""Published weights from the Hugging Face hub, kept in its local cache."""

from __future__ import annotations

import errno
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from triptych.domain.errors import ArtifactError, StorageError


def download_weights(
    repository: str,
    filename: str = "model.safetensors",
    *,
    cache_dir: Path | None = None,
    endpoint: str | None = None,
) -> Path:
    """Path of a weights file in the local cache; fetched when it is not there, or has changed on the hub.

    Without a network the cached file is used.

    Args:
        repository: such as timm/efficientnet_b0.ra_in1k.
        filename: a safetensors file in it.
        cache_dir: folder of the cache; the hub library's own when None.
        endpoint: address of a hub mirror; the hub library's own when None.

    Raises ArtifactError when the repository or the file does not exist, or the hub cannot be reached and nothing is
    cached; StorageError when the disk is full.
    """
    try:
        return Path(hf_hub_download(repository, filename, cache_dir=cache_dir, endpoint=endpoint))
    except LocalEntryNotFoundError as error:
        raise ArtifactError(
            f"The hub cannot be reached, and {repository}/{filename} is not in the local cache.",
            remedy="Check the network, or give a .safetensors file by checkpoint_path.",
        ) from error
    except (RepositoryNotFoundError, EntryNotFoundError, HFValidationError) as error:
        raise ArtifactError(
            f"The hub has no file {filename} in {repository}.",
            remedy="`triptych.models.list_pretrained()` lists what is published; or give a file by checkpoint_path.",
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageError(
                f"The disk is full: {repository}/{filename} could not be stored.",
                remedy="Free some space, or set cache_dir to a folder on another disk.",
            ) from error
        raise ArtifactError(
            f"Downloading {repository}/{filename} failed: {error}",
            remedy="Try again later, or give a .safetensors file by checkpoint_path.",
        ) from error

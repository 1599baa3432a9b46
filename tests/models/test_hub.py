"""The hub's protocol on a real socket of this machine: no test leaves it."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save
from torch import nn

from triptych.domain.errors import ArtifactError, StorageError
from triptych.models import create_model, hub
from triptych.models.hub import download_weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "timm/efficientnet_b0.ra_in1k"


class FakeHub(ThreadingHTTPServer):
    """Serves files under /REPOSITORY/resolve/main/NAME with the headers the hub library asks for."""

    daemon_threads = False
    files: dict[str, bytes]
    requests: list[str]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        content = self.server.files.get(self.path)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FakeHub]:
    with FakeHub(("127.0.0.1", 0), Handler) as server:
        server.files, server.requests = files, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def fake_hub() -> Iterator[FakeHub]:
    with serving({}) as server:
        yield server


@pytest.fixture
def published(fake_hub: FakeHub, filled: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """B0 as the fake hub holds it."""
    network = filled(create_model("efficientnet_b0"))
    fake_hub.files[f"/{REPOSITORY}/resolve/main/model.safetensors"] = save(network.state_dict())
    return network


def test_pretrained_weights_are_fetched_adapted_and_cached(
    fake_hub: FakeHub, published: nn.Module, tmp_path: Path
) -> None:
    network = create_model(
        "efficientnet_b0",
        pretrained=True,
        in_chans=1,
        num_classes=3,
        cache_dir=tmp_path,
        hub_endpoint=fake_hub.endpoint,
    )
    assert torch.equal(network.conv_head.weight, published.conv_head.weight)
    torch.testing.assert_close(network.conv_stem.weight, published.conv_stem.weight.sum(1, keepdim=True))
    assert network.weights_report.fresh == ("classifier.weight", "classifier.bias")
    assert network.pretrained_cfg["hf_hub_id"] == REPOSITORY

    downloads = [request for request in fake_hub.requests if request.startswith("GET") and "resolve" in request]
    download_weights(REPOSITORY, cache_dir=tmp_path, endpoint=fake_hub.endpoint)
    again = [request for request in fake_hub.requests if request.startswith("GET") and "resolve" in request]
    assert len(downloads) == len(again) == 1


def test_a_missing_repository_says_what_to_do(fake_hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        download_weights("timm/nothing.here", cache_dir=tmp_path, endpoint=fake_hub.endpoint)
    assert str(caught.value) == (
        "The hub has no file model.safetensors in timm/nothing.here. "
        "`triptych.models.list_pretrained()` lists what is published; or give a file by checkpoint_path."
    )


def test_a_name_that_is_no_repository_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"^The hub has no file model\.safetensors in a/b/c\."):
        download_weights("a/b/c", cache_dir=tmp_path, endpoint="http://127.0.0.1:9")


def test_when_the_hub_does_not_answer_the_cache_serves(tmp_path: Path) -> None:
    with serving({"/a/b/resolve/main/model.safetensors": b"content"}) as server:
        first = download_weights("a/b", cache_dir=tmp_path, endpoint=server.endpoint)
    assert first.read_bytes() == b"content"
    assert download_weights("a/b", cache_dir=tmp_path, endpoint=server.endpoint) == first


def test_offline_and_not_cached_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The library's own switch: it would knock at a dead socket for 20 s.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ArtifactError) as caught:
        download_weights("a/other", cache_dir=tmp_path)
    assert str(caught.value) == (
        "The hub cannot be reached, and a/other/model.safetensors is not in the local cache. "
        "Check the network, or give a .safetensors file by checkpoint_path."
    )


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (
            errno.ENOSPC,
            StorageError,
            "The disk is full: a/b/model.safetensors could not be stored. "
            "Free some space, or set cache_dir to a folder on another disk.",
        ),
        (
            errno.EIO,
            ArtifactError,
            "Downloading a/b/model.safetensors failed: [Errno 5] broken "
            "Try again later, or give a .safetensors file by checkpoint_path.",
        ),
    ],
)
def test_a_failing_disk_is_told_apart(
    number: int, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError(number, "broken")

    monkeypatch.setattr(hub, "hf_hub_download", fail)
    with pytest.raises(error) as caught:
        download_weights("a/b")
    assert str(caught.value) == message

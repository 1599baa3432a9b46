"""Learning likeness: pairs of windows that are close in time, everything seeded, the best epoch kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.domain.errors import RecipeError
from triptych.inference.classifier import WindowClassifier
from triptych.models.siamese import SiameseNetwork
from triptych.training.config import Config as TrainingConfig
from triptych.training.fitted import FitResult, claim, read_result, write_result
from triptych.training.history import EpochRecord, best_of
from triptych.training.optimizer import adamw
from triptych.training.seeds import derive_seed
from triptych.training.siamese.config import Config
from triptych.training.siamese.losses import contrastive, nt_xent, triplet
from triptych.training.siamese.pairs import Pairs, pairs_of
from triptych.training.surroundings import device_of, surroundings
from triptych.training.windows import WindowSet

BATCH = 512
"""Windows embedded at a time, once the network is trained."""


def fit_siamese(
    classifier: WindowClassifier,
    train: WindowSet,
    validation: WindowSet,
    config: Config,
    training: TrainingConfig,
    directory: Path,
    seed: int,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> FitResult:
    """Train an encoding with a `SiameseNetwork` in place, then give it its library.

    A training that has ended is read from `directory`; one that was stopped begins anew and comes to the same end.

    Raises RecipeError when like windows would be more than half a window apart, NotEnoughData when no window of a
    segment has another close to it, RunError when the directory is another training's.
    """
    if config.near > train.length // 2:
        raise RecipeError(
            f"siamese.near is {config.near}, more than half of a window of {train.length} candles.",
            remedy=f"Set it to {train.length // 2} or less.",
        )
    directory.mkdir(parents=True, exist_ok=True)
    settings = {"siamese": config.model_dump_json(), "training": training.model_dump_json(), "seed": str(seed)}
    claim(directory, {"windows": train.fingerprint(), "stop": validation.fingerprint(), **settings})
    done = read_result(directory)
    if done is None:
        device = device_of(training.accelerator)
        with surroundings(device, training.num_threads):
            done = _learn(classifier, train, validation, config, training, directory, seed, device, on_epoch)
    network = classifier.network
    assert isinstance(network, SiameseNetwork)
    classifier.cpu().load_state_dict(_without_library(done.state), strict=False)
    give_library(classifier.eval(), (train, validation), config)
    return done


def _learn(
    classifier: WindowClassifier, train: WindowSet, validation: WindowSet, config: Config, training: TrainingConfig,
    directory: Path, seed: int, device: torch.device, on_epoch: Callable[[EpochRecord], None] | None,
) -> FitResult:  # fmt: skip
    classifier.to(device)
    sets = train.to(device), validation.to(device)
    pairs = tuple(pairs_of(one, config) for one in sets)
    network = classifier.network
    assert isinstance(network, SiameseNetwork)
    if config.scaled:
        network.take_scales(*channel_scales(classifier, sets[0]))
    head = _projection(config, seed).to(device)
    optimizer = adamw(nn.ModuleList([network, head]), training.learning_rate, training.weight_decay)
    history: list[EpochRecord] = []
    state: dict[str, Tensor] = {}
    for epoch in range(training.epochs):
        torch.manual_seed(derive_seed(seed, "epoch", epoch))
        generator = torch.Generator().manual_seed(derive_seed(seed, "pairs", epoch))
        classifier.train()
        losses = []
        for first, second in pairs[0].batches(training.batch_size, generator):
            optimizer.zero_grad()
            loss = _loss(classifier, head, sets[0], pairs[0], first.to(device), second.to(device), config)
            loss.backward()  # type: ignore[no-untyped-call]
            if training.gradient_clip:
                torch.nn.utils.clip_grad_norm_(classifier.network.parameters(), training.gradient_clip)
            optimizer.step()
            losses.append(float(loss.detach()))
        classifier.eval()
        held = torch.Generator().manual_seed(derive_seed(seed, "held pairs"))  # the same pairs every epoch
        with torch.no_grad():
            stops = [
                float(_loss(classifier, head, sets[1], pairs[1], first.to(device), second.to(device), config))
                for first, second in pairs[1].batches(training.batch_size, held)
            ]
        record = EpochRecord(
            epoch=epoch, train_loss=sum(losses) / len(losses), validation_loss=sum(stops) / len(stops),
            validation_accuracy=0.0, learning_rate=training.learning_rate,
        )  # fmt: skip
        history.append(record)
        if best_of(tuple(history)).epoch == epoch:
            state = {name: value.detach().cpu().clone() for name, value in classifier.state_dict().items()}
        if on_epoch is not None:
            on_epoch(record)
        if training.early_stopping and epoch - best_of(tuple(history)).epoch >= training.early_stopping:
            break
    return write_result(directory, tuple(history), state, len(history) < training.epochs)


def _projection(config: Config, seed: int) -> nn.Module:
    """The map on which the loss is taken, dropped after training (Chen et al. 2020, section 4.2)."""
    if not config.projection:
        return nn.Identity()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "projection"))
        return nn.Sequential(
            nn.Linear(config.dimension, config.dimension), nn.ReLU(), nn.Linear(config.dimension, config.projection)
        )


@torch.no_grad()
def channel_scales(classifier: WindowClassifier, windows: WindowSet) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over the windows, each of shape (channels,)."""
    total, squared, count = torch.zeros(()), torch.zeros(()), 0
    every = torch.arange(len(windows), device=windows.starts.device)
    for start in range(0, len(every), BATCH):
        places = every[start : start + BATCH]
        images = (2.0 * classifier.images(windows.gather(places).windows) - 1.0).double()
        total = total.to(images) + images.sum(dim=(0, 2, 3))
        squared = squared.to(images) + images.square().sum(dim=(0, 2, 3))
        count += images.numel() // images.shape[1]
    mean = total / count
    return mean.float(), (squared / count - mean.square()).clamp(min=0.0).sqrt().float()


def _loss(
    classifier: WindowClassifier, head: nn.Module, windows: WindowSet, pairs: Pairs, first: Tensor, second: Tensor,
    config: Config,
) -> Tensor:  # fmt: skip
    network = classifier.network
    assert isinstance(network, SiameseNetwork)
    batch = windows.gather(torch.cat([first, second])).windows
    with torch.no_grad():
        images = 2.0 * classifier.images(batch) - 1.0
    ours, theirs = F.normalize(head(network.features(images)), dim=1, eps=1e-6).chunk(2)
    unlike = pairs.unlike(first, second).to(ours.device)
    if config.loss == "contrastive":
        return contrastive(ours, theirs, unlike, margin=config.margin)
    if config.loss == "triplet":
        return triplet(ours, theirs, unlike, margin=config.margin)
    return nt_xent(ours, theirs, unlike, temperature=config.temperature)


def give_library(classifier: WindowClassifier, sets: tuple[WindowSet, ...], config: Config) -> None:
    """Let the network remember windows with what followed them: every n-th of all `sets`, at most `library`."""
    network = classifier.network
    assert isinstance(network, SiameseNetwork)
    embeddings = torch.cat([embeddings_over(classifier, one) for one in sets])
    labels = torch.cat([one.labels.cpu() for one in sets])
    step = -(-len(labels) // config.library)
    network.remember(embeddings[::step], labels[::step], 1.0 / config.sharpness)


@torch.no_grad()
def embeddings_over(classifier: WindowClassifier, windows: WindowSet) -> Tensor:
    """Embeddings of all windows, shape (n_windows, dimension), on the CPU."""
    network = classifier.network
    assert isinstance(network, SiameseNetwork)
    places = torch.arange(len(windows))
    parts = []
    for start in range(0, len(places), BATCH):
        images = classifier.images(windows.gather(places[start : start + BATCH]).windows)
        parts.append(network.embed(2.0 * images - 1.0).float().cpu())
    return torch.cat(parts)


def _without_library(state: object) -> dict[str, Tensor]:
    assert isinstance(state, dict)
    return {name: value for name, value in state.items() if not name.startswith("network.library")}

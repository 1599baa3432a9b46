import json
import signal
import warnings
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from tests.fakes.classifier import CloseEncoding, small_classifier
from tests.fakes.killed_training import LENGTH, window_sets
from torch import nn

from triptych.domain.errors import NotEnoughData, RecipeError, RunError, StorageError
from triptych.inference.classifier import WindowClassifier
from triptych.training import trainer
from triptych.training.progress import RichProgress
from triptych.training.stopping import StoppedError
from triptych.training.trainer import Config, fit

QUICK = Config(epochs=2, batch_size=64, early_stopping=0)


@pytest.fixture(scope="module")
def sets():
    return window_sets(300)


def quick_fit(sets, folder: Path, config: Config = QUICK, seed: int = 5, classifier=None, **options):
    return fit(classifier or small_classifier(LENGTH), *sets, config, folder, seed, progress=False, **options)


def validation_loss(classifier, validation) -> float:
    batch = validation.gather(torch.arange(len(validation)))
    with torch.no_grad():
        return float(nn.functional.cross_entropy(classifier(batch.windows), batch.labels))


def test_momentum_is_learned_and_the_classifier_ends_with_its_best_weights(tmp_path):
    train, validation = window_sets(900, momentum=0.8)
    classifier = small_classifier(LENGTH)
    before = validation_loss(classifier.eval(), validation)
    result = quick_fit((train, validation), tmp_path, Config(epochs=6, batch_size=64), classifier=classifier)
    best = result.history[result.best_epoch]
    assert best.validation_loss == min(record.validation_loss for record in result.history)
    assert best.validation_loss < before - 0.1
    assert best.validation_accuracy > 0.6
    assert not classifier.training
    assert validation_loss(classifier, validation) == pytest.approx(best.validation_loss, rel=1e-5)
    assert all(torch.equal(classifier.state_dict()[name], value) for name, value in result.state.items())


def test_the_folder_holds_weights_history_and_result_and_nothing_else(sets, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    result = quick_fit(sets, tmp_path / "fit")
    assert list(elsewhere.iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "fit").iterdir()) == [
        "fingerprint.json", "fit.json", "history.csv", "weights.safetensors",
    ]  # fmt: skip
    lines = (tmp_path / "fit" / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,train_loss,validation_loss,validation_accuracy,learning_rate"
    assert lines[2] == ",".join(str(getattr(result.history[1], name)) for name in lines[0].split(","))
    saved = load_file(tmp_path / "fit" / "weights.safetensors")
    assert all(torch.equal(saved[name], value) for name, value in result.state.items())


def test_training_is_silent_and_leaves_the_process_as_it_was(sets, tmp_path, capfd):
    torch.manual_seed(9)
    state = torch.get_rng_state()
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick_fit(sets, tmp_path, QUICK.model_copy(update={"num_threads": 1}))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert signal.getsignal(signal.SIGINT) is handler
    assert capfd.readouterr() == ("", "")


def test_the_same_call_gives_the_same_weights_whatever_was_drawn_before(sets, tmp_path):
    one = quick_fit(sets, tmp_path / "one")
    torch.rand(17)
    two = quick_fit(sets, tmp_path / "two")
    assert one.history == two.history
    assert all(torch.equal(one.state[name], two.state[name]) for name in one.state)


def test_another_seed_trains_otherwise(sets, tmp_path):
    assert quick_fit(sets, tmp_path / "a").history != quick_fit(sets, tmp_path / "b", seed=6).history


def test_a_finished_training_returns_at_once_with_the_same_result(sets, tmp_path):
    first = quick_fit(sets, tmp_path)
    told = []
    again = small_classifier(LENGTH)
    second = quick_fit(sets, tmp_path, classifier=again, on_epoch=told.append)
    assert told == []
    assert (second.best_epoch, second.history, second.stopped_early) == (
        first.best_epoch, first.history, first.stopped_early,
    )  # fmt: skip
    assert all(torch.equal(again.state_dict()[name], value) for name, value in first.state.items())


def test_every_epoch_is_told(sets, tmp_path):
    told = []
    assert quick_fit(sets, tmp_path, on_epoch=told.append).history == tuple(told)
    assert [record.epoch for record in told] == [0, 1]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"config": Config(epochs=3)}, "settings"),
        ({"seed": 6}, "settings"),
        ({"classifier": small_classifier(LENGTH, seed=1)}, "network"),
        ({"sets": window_sets(310)}, "training windows, validation windows"),
    ],
)
def test_a_folder_of_another_training_is_refused(sets, tmp_path, changes, part):
    quick_fit(sets, tmp_path)
    with pytest.raises(RunError) as error:
        quick_fit(**{"sets": sets, "folder": tmp_path, **changes})
    assert str(error.value) == (
        f"{tmp_path} belongs to another training: {part} differ(s). "
        "Choose another folder, or delete this one to start anew."
    )


class NoLongerANumber(nn.Module):
    """A linear layer whose scores become NaN after some training steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.layer = nn.Linear(LENGTH, 3)
        self.left = steps

    def forward(self, image):
        self.left -= self.training
        return self.layer(image.flatten(1)) * (float("nan") if self.left < 0 else 1.0)


def test_a_loss_that_is_no_number_stops_with_its_epoch_and_leaves_the_last_checkpoint(sets, tmp_path):
    steps = len(sets[0]) // 64
    classifier = WindowClassifier(CloseEncoding(), NoLongerANumber(steps + 1))
    with pytest.raises(RunError) as error:
        quick_fit(sets, tmp_path, classifier=classifier)
    assert str(error.value) == (
        "Training diverged: the training loss became NaN or infinite in epoch 1. "
        'Lower `learning_rate`, keep `gradient_clip` on, or set precision = "32".'
    )
    assert (tmp_path / "checkpoint.ckpt").exists()
    assert not (tmp_path / "fit.json").exists()


def test_an_interruption_by_hand_comes_out_and_can_be_resumed(sets, tmp_path):
    handler = signal.getsignal(signal.SIGINT)

    def interrupt(record):
        if record.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick_fit(sets, tmp_path / "a", on_epoch=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    resumed, whole = quick_fit(sets, tmp_path / "a"), quick_fit(sets, tmp_path / "b")
    assert resumed.history == whole.history
    assert all(torch.equal(resumed.state[name], whole.state[name]) for name in whole.state)


def test_a_training_that_is_stopped_between_epochs_keeps_them_and_goes_on(sets, tmp_path):
    asked = iter([False, True])
    with pytest.raises(StoppedError) as caught:
        quick_fit(sets, tmp_path / "a", is_over=lambda: next(asked))
    assert caught.value.epochs == 1
    with pytest.raises(StoppedError) as caught:
        quick_fit(sets, tmp_path / "a", is_over=lambda: True)  # the first epoch is not done again
    assert caught.value.epochs == 1
    resumed, whole = quick_fit(sets, tmp_path / "a"), quick_fit(sets, tmp_path / "b")
    assert resumed.history == whole.history
    assert all(torch.equal(resumed.state[name], whole.state[name]) for name in whole.state)


def test_early_stopping_ends_when_the_validation_loss_no_longer_falls(tmp_path):
    sets = window_sets(260, momentum=0.0)
    result = quick_fit(sets, tmp_path, Config(epochs=40, batch_size=16, early_stopping=2, learning_rate=0.02))
    assert result.stopped_early
    assert len(result.history) == result.best_epoch + 3


def test_a_running_average_is_what_is_validated_and_kept(sets, tmp_path):
    classifier = small_classifier(LENGTH)
    config = QUICK.model_copy(update={"ema": 0.9})
    result = quick_fit(sets, tmp_path, config, classifier=classifier)
    best = result.history[result.best_epoch]
    assert validation_loss(classifier, sets[1]) == pytest.approx(best.validation_loss, rel=1e-5)
    plain = quick_fit(sets, tmp_path / "plain")
    assert [r.train_loss for r in plain.history] == [r.train_loss for r in result.history]
    assert [r.validation_loss for r in plain.history] != [r.validation_loss for r in result.history]


def test_a_network_with_convolutions_ends_in_the_usual_memory_layout(sets, tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 4, (1, 3)), nn.ReLU(), nn.Conv2d(4, 4, (1, 3)), nn.Flatten(), nn.Linear(16, 3)
        )
    seen = []
    network[0].register_forward_pre_hook(
        lambda _, args: seen.append(args[0].is_contiguous(memory_format=torch.channels_last))
    )
    classifier = WindowClassifier(CloseEncoding(), network)
    result = quick_fit(sets, tmp_path, Config(epochs=1, batch_size=64), classifier=classifier)
    assert all(seen)
    assert all(value.is_contiguous() for value in [*result.state.values(), *classifier.state_dict().values()])
    best = result.history[result.best_epoch]
    assert validation_loss(classifier, sets[1]) == pytest.approx(best.validation_loss, rel=1e-5)


class Watcher(nn.Module):
    """Notes under which precision it is called."""

    def __init__(self, inner: nn.Module, seen: list) -> None:
        super().__init__()
        self.inner = inner
        self.seen = seen

    def forward(self, x):
        self.seen.append((torch.is_autocast_enabled("cpu"), x.dtype))
        return self.inner(x)


def test_under_mixed_precision_the_image_is_still_drawn_in_float32(sets, tmp_path):
    drawn, scored = [], []
    inner = small_classifier(LENGTH)
    classifier = WindowClassifier(Watcher(inner.encoding, drawn), Watcher(inner.network, scored))
    quick_fit(sets, tmp_path, Config(epochs=1, batch_size=64, precision="bf16"), classifier=classifier)
    assert set(drawn) == {(False, torch.float32)}
    assert set(scored) == {(True, torch.float32)}


def test_too_few_windows_are_refused(sets, tmp_path):
    train, validation = sets
    with pytest.raises(NotEnoughData) as error:
        quick_fit((train, replace(validation, starts=validation.starts[:0])), tmp_path)
    assert str(error.value) == (
        f"Training needs at least 2 training windows and 1 validation window, there are {len(train)} and 0. "
        "Bring more candles, or shorten the window or the horizon."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="only without a GPU")
def test_a_gpu_that_is_not_there_is_named(sets, tmp_path):
    with pytest.raises(RecipeError) as error:
        quick_fit(sets, tmp_path, Config(accelerator="gpu"))
    assert str(error.value) == (
        'accelerator = "gpu", but PyTorch finds no GPU. '
        'Set accelerator = "auto" or install a PyTorch build for your GPU.'
    )


def test_a_damaged_checkpoint_is_named(sets, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        quick_fit(sets, tmp_path, on_epoch=_stop_after_the_first)
    (tmp_path / "checkpoint.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(RunError) as error:
        quick_fit(sets, tmp_path)
    assert str(error.value) == (
        f"The checkpoint {tmp_path / 'checkpoint.ckpt'} is damaged. Delete its folder to train anew."
    )


def _stop_after_the_first(record):
    if record.epoch == 1:
        raise KeyboardInterrupt


@pytest.mark.parametrize("file", ["fit.json", "weights.safetensors"])
def test_a_damaged_result_is_named(sets, tmp_path, file):
    quick_fit(sets, tmp_path)
    (tmp_path / file).write_text("{")
    with pytest.raises(
        RunError, match=r"^The finished training in .* is damaged: .* Delete the folder and train again\."
    ):
        quick_fit(sets, tmp_path)


def test_a_folder_that_cannot_be_made_is_a_storage_error(sets, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        quick_fit(sets, tmp_path / "file" / "fit")


def test_the_checkpoint_loads_without_running_code(sets, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        quick_fit(sets, tmp_path, on_epoch=_stop_after_the_first)
    content = torch.load(tmp_path / "checkpoint.ckpt", weights_only=True)
    assert content["epoch"] == 0


def test_the_fingerprint_holds_hashes_only(sets, tmp_path):
    quick_fit(sets, tmp_path)
    content = json.loads((tmp_path / "fingerprint.json").read_text())
    assert set(content) == {"settings", "network", "training windows", "validation windows", "PyTorch version"}
    assert all(len(content[name]) == 64 for name in set(content) - {"PyTorch version"})


def test_the_progress_bar_shows_epoch_loss_and_time_left(sets, tmp_path, monkeypatch):
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    monkeypatch.setattr(trainer, "RichProgress", lambda epochs: RichProgress(epochs, console))
    fit(small_classifier(LENGTH), *sets, QUICK, tmp_path, 5, progress=True)
    shown = screen.getvalue()
    assert "epoch 2/2" in shown
    assert "loss 1." in shown
    assert "validation 1." in shown
    assert "left" in shown


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_training_on_a_gpu_repeats_itself_and_ends_on_the_cpu(sets, tmp_path):
    config = QUICK.model_copy(update={"accelerator": "gpu"})
    one, two = quick_fit(sets, tmp_path / "a", config), quick_fit(sets, tmp_path / "b", config)
    assert one.history == two.history
    assert {value.device.type for value in one.state.values()} == {"cpu"}

import math
import multiprocessing
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes.killed_catch import CONFIG, train, train_and_die
from tests.fakes.waves import TINY, waves

from triptych.domain.errors import NotEnoughData, RunError
from triptych.models.catch import REFERENCE_CHOICES, build_catch
from triptych.training.anomaly.config import Config
from triptych.training.anomaly.module import CatchModule
from triptych.training.anomaly.trainer import fit_catch, window_set


@pytest.fixture(scope="module")
def whole():
    return train(None)


def same_weights(first, second):
    first, second = first.state_dict(), second.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_error_falls_and_the_best_epoch_is_kept(whole):
    network, fit = whole
    assert len(fit.history) == 3
    assert fit.history[-1].validation_time < fit.history[0].validation_time
    rows = torch.from_numpy(waves(200).astype(np.float32)[120:])
    windows = rows.unfold(0, 24, 1).transpose(1, 2)
    with torch.no_grad():
        error = float((network(windows) - windows).square().mean())
    assert math.isclose(error, fit.history[fit.best_epoch].validation_time, rel_tol=1e-4)


def test_the_seed_decides_and_torchs_own_state_stays(whole):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert same_weights(train(None)[0], whole[0])
    assert not same_weights(train(None, seed=6)[0], whole[0])
    assert torch.equal(before, torch.get_rng_state())


def test_a_killed_training_goes_on_to_the_same_weights(whole, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3]))
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=train_and_die, args=(tmp_path, 14))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    network, fit = train(tmp_path)
    assert same_weights(network, whole[0])
    assert fit == whole[1]


def test_a_training_that_has_ended_is_not_run_again(whole, tmp_path, monkeypatch):
    train(tmp_path)
    monkeypatch.setattr(CatchModule, "training_step", lambda *_: pytest.fail("trained again"))
    network, fit = train(tmp_path)
    assert same_weights(network, whole[0])
    assert fit == whole[1]


def test_a_folder_of_another_training_is_refused(tmp_path):
    train(tmp_path)
    with pytest.raises(RunError) as error:
        train(tmp_path, seed=6)
    assert str(error.value) == (
        f"{tmp_path} belongs to another training: settings differ(s). Choose another folder, or delete this one to "
        "start anew."
    )


def test_each_optimiser_has_its_own_rate_and_its_own_parameters():
    network = build_catch(3, TINY, seed=1)
    module = CatchModule(network, Config(learning_rate=1e-3, mask_learning_rate=5e-2), steps_per_epoch=10, seed=0)
    rest, masks = module.configure_optimizers()
    assert masks.param_groups[0]["lr"] == 5e-2
    assert rest.param_groups[0]["lr"] == 1e-3
    of_masks = {id(p) for p in masks.param_groups[0]["params"]}
    of_rest = {id(p) for group in rest.param_groups for p in group["params"]}
    assert of_masks == {id(p) for p in network.mask_generator.parameters()}
    assert of_rest == {id(p) for p in network.parameters()} - of_masks


def test_both_rates_follow_the_schedule_to_the_end(whole):
    last = whole[1].history[-1]
    factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * 17 / 18))
    assert math.isclose(last.learning_rate, CONFIG.learning_rate * factor)
    assert math.isclose(last.mask_learning_rate, CONFIG.mask_learning_rate * factor)


def test_a_rate_of_nothing_for_the_masks_leaves_them_as_they_were():
    network, _ = train(None, CONFIG.model_copy(update={"mask_every": 1000}))
    assert network.mask_generator.weight.abs().max() == 0
    assert train(None)[0].mask_generator.weight.abs().max() > 0


def test_training_stops_early_when_the_error_no_longer_falls():
    rows = np.random.default_rng(0).standard_normal((200, 2)).astype(np.float32)
    config = Config(epochs=40, batch_size=16, early_stopping=1, learning_rate=0.3, schedule="none")
    fit = fit_catch(build_catch(2, TINY, seed=1), [rows[:120]], [rows[120:]], config, seed=0)
    assert len(fit.history) < 40
    assert fit.best_epoch == len(fit.history) - 2


def test_no_window_crosses_stretches():
    stretches = [np.full((n, 1), i, dtype=np.float32) for i, n in enumerate((30, 10, 25))]
    windows = window_set(stretches, 24, most=1000)
    cut = windows.gather(torch.arange(len(windows))).windows
    assert len(cut) == 7 + 0 + 2
    assert (cut == cut[:, :1]).all()
    assert len(window_set(stretches, 24, most=5)) == 5


def test_one_channel_trains():
    rows = waves(120, channels=1).astype(np.float32)
    fit = fit_catch(build_catch(1, TINY, seed=1), [rows[:80]], [rows[80:]], CONFIG, seed=0)
    assert math.isfinite(fit.history[-1].validation_time)


def test_too_short_a_history_is_refused():
    rows = waves(40).astype(np.float32)
    with pytest.raises(NotEnoughData) as error:
        fit_catch(build_catch(3, TINY, seed=1), [rows], [rows[:20]], CONFIG, seed=0)
    assert str(error.value) == (
        "There is no unbroken window of 24 rows to validate on. Bring a longer history without gaps, or shorten the "
        "window."
    )


def test_a_loss_that_is_not_a_number_stops():
    rows = waves(120).astype(np.float32)
    config = CONFIG.model_copy(update={"learning_rate": 1e30, "gradient_clip": 0.0})
    with pytest.raises(RunError) as error:
        fit_catch(build_catch(3, TINY, seed=1), [rows[:80]], [rows[80:]], config, seed=0)
    assert str(error.value) == (
        "Training diverged: a loss became NaN or infinite in epoch 0. Lower `learning_rate` and "
        '`mask_learning_rate`, keep `gradient_clip` on, or set precision = "32".'
    )


def test_a_saturated_sigmoid_ends_the_training_with_its_cause():
    network = build_catch(3, TINY.model_copy(update={"compat": "reference"}), seed=1)
    rows = 50 * waves(300).astype(np.float32)
    with pytest.raises(RunError) as error:
        fit_catch(network, [rows[:200]], [rows[200:]], CONFIG.model_copy(update={"mask_learning_rate": 5.0}), seed=0)
    assert str(error.value) == (
        "Training diverged: a loss became NaN or infinite in epoch 0. The masks are drawn by the logarithm of a "
        "sigmoid, as the reference does it, which is no number once the sigmoid has rounded to 0 or 1. Lower "
        '`mask_learning_rate` (the authors\' is 1e-5), or leave the choice out: all but "log_of_sigmoid" in '
        '`reference_choices`, and compat = "none".'
    )


def test_the_same_rates_without_logarithms_of_sigmoids_train_to_the_end():
    choices = tuple(one for one in REFERENCE_CHOICES if one != "log_of_sigmoid")
    network = build_catch(3, TINY.model_copy(update={"reference_choices": choices}), seed=1)
    rows = 50 * waves(300).astype(np.float32)
    config = CONFIG.model_copy(update={"mask_learning_rate": 5.0})
    fit = fit_catch(network, [rows[:200]], [rows[200:]], config, seed=0)
    assert math.isfinite(fit.history[-1].validation_time)


@pytest.mark.parametrize("precision", ["bf16", "16"])
def test_the_references_network_learns_in_short_numbers_too(precision):
    rows = [waves(200).astype(np.float32)]
    network = build_catch(3, TINY.model_copy(update={"compat": "reference"}), seed=0)
    config = Config(epochs=1, batch_size=16, windows_per_epoch=32, precision=precision, num_threads=1)
    fit = fit_catch(network, rows, rows, config, seed=0)
    assert math.isfinite(fit.history[0].validation_time)

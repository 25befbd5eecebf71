"""Ctrl-C and SIGTERM end a run behind a step, and it goes on as if nothing had been."""

import os
import signal
import threading

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")


class Asking(keras.callbacks.Callback):
    """Sends a signal to this process, at the beginning of a step or the end of an epoch."""

    def __init__(self, number, batch=None, epoch=0):
        super().__init__()
        self.number, self.batch, self.epoch = number, batch, epoch

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.batch:
            os.kill(os.getpid(), self.number)

    def on_epoch_end(self, epoch, logs=None):
        if self.batch is None and epoch == self.epoch:
            os.kill(os.getpid(), self.number)


def compiled(make_model):
    model = make_model()
    model.compile(keras.optimizers.AdamW(1e-3))
    return model


def data(images, **place):
    return ks.data.from_arrays(images, batch_size=2, **place)


def fit(model, dataset, folder, *asking, **place):
    checkpoint = ks.training.callbacks.Checkpoint(folder)
    with ks.training.stop_gently():
        model.fit(dataset, epochs=2, verbose=0, callbacks=[*asking, checkpoint], **place)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_a_stopped_run_goes_on_with_the_next_step(make_model, images, tmp_path, number):
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ks.training.Stopped) as stopped:
        fit(compiled(make_model), data(images), tmp_path / "stopped", Asking(number, batch=1))
    assert stopped.value.signal == number
    assert handlers == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    run = ks.training.resume(tmp_path / "stopped")
    # The step during which it came is done, and no other.
    assert (run.epoch, run.batch, run.step) == (0, 2, 2)
    place = {"epoch": run.epoch, "first_batch": run.batch}
    fit(run.model, data(images, **place), tmp_path / "stopped")
    other = compiled(make_model)
    fit(other, data(images), tmp_path / "other")
    for mine, its in zip(run.model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(mine), ops.convert_to_numpy(its))


@pytest.mark.parametrize(
    ("asking", "place"),
    [({"batch": 3}, (1, 0)), pytest.param({"epoch": 0}, (1, 1), marks=pytest.mark.long)],
)
def test_a_signal_at_the_end_of_an_epoch(make_model, images, tmp_path, asking, place):
    # Behind the last step, the epoch's end is waited for; behind the epoch's end, the next step.
    with pytest.raises(ks.training.Stopped):
        fit(compiled(make_model), data(images), tmp_path, Asking(signal.SIGINT, **asking))
    run = ks.training.resume(tmp_path)
    assert (run.epoch, run.batch) == place


@pytest.mark.any_backend
def test_what_is_done_is_not_stopped(make_model, images, tmp_path):
    fit(compiled(make_model), data(images), tmp_path, Asking(signal.SIGINT, epoch=1))
    assert ks.training.resume(tmp_path).epoch == 2


@pytest.mark.any_backend
def test_a_signal_while_nothing_trains_or_a_second_one_ends_at_once(make_model, images, tmp_path):
    with pytest.raises(KeyboardInterrupt), ks.training.stop_gently():
        os.kill(os.getpid(), signal.SIGINT)
    asked = [Asking(signal.SIGINT, batch=1), Asking(signal.SIGTERM, batch=1)]
    with pytest.raises(ks.training.Stopped):
        fit(compiled(make_model), data(images), tmp_path, *asked)
    assert ks.training.resume(tmp_path) is None
    # A later fit does not remember.
    fit(compiled(make_model), data(images), tmp_path)


@pytest.mark.any_backend
def test_other_threads_get_no_signals(capfd):
    done = []

    def enter():
        with ks.training.stop_gently():
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]

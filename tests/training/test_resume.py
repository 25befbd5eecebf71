"""An interrupted run goes on as if it had never stopped, to the last bit; damage is survived."""

import json
import logging
import shutil

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.training import checkpoint_files

BATCHES = 4


def data(images, labels=None, **place):
    return ks.data.from_arrays(images, labels, batch_size=2, **place)


def pretraining():
    """Dropout with and without a seed, learned masks, averages, accumulation, a loss scale."""
    images = keras.Input((16, 24, 3))
    maps = keras.layers.Conv2D(4, 4, 4, name="patches")(images)
    maps = keras.layers.BatchNormalization()(keras.layers.Dropout(0.3, seed=1)(maps))
    maps = keras.layers.Dropout(0.3)(keras.layers.Conv2D(4, 3, padding="same")(maps))
    backbone = ks.backbones.from_keras(keras.Model(images, maps), mask_at="patches")
    model = ks.SimMIM(backbone, ks.masking.LearnedMasking(0.6, 2, ramp_steps=5))
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 3 * BATCHES)
    accumulate = {"use_ema": True, "ema_momentum": 0.9, "gradient_accumulation_steps": 3}
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.05, **accumulate))
    return model


def fine_tuning():
    """Mixed and erased images, and a metric beside the model's own."""
    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.ImageClassifier(backbone, 3, mixup=0.5, erasing=0.25)
    metric = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), metrics=[metric])
    return model


class InterruptedRunError(Exception):
    pass


class Interrupt(keras.callbacks.Callback):
    """Ends the run by an error after so many steps, as late as a callback can."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if self.steps == 0:
            raise InterruptedRunError


class Record(keras.callbacks.Callback):
    """The logs of every epoch, and all variables after the last."""

    def __init__(self):
        super().__init__()
        self.logs, self.variables = {}, []

    def on_epoch_end(self, epoch, logs=None):
        self.logs[epoch] = dict(logs)
        variables = [*self.model.variables, *self.model.optimizer.variables]
        self.variables = [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("make", "precision", "interruptions"),
    [
        # In the middle of the second epoch; then after the first batch of the third.
        pytest.param(pretraining, "mixed_float16", (7, 3), marks=pytest.mark.long),
        # One batch of the second is left, at which Keras looks before it trains.
        pytest.param(fine_tuning, "float32", (7,), marks=pytest.mark.fast_on("torch")),
    ],
    indirect=["precision"],
)
def test_a_resumed_run_repeats_the_uninterrupted_one(
    make, precision, interruptions, images, tmp_path
):
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1]) if make is fine_tuning else None
    whole, parts = Record(), Record()
    losses = [ks.training.callbacks.StepLosses(tmp_path / name) for name in ("whole", "parts")]
    make().fit(data(images, labels), epochs=3, verbose=0, callbacks=[whole, losses[0]])

    keras.utils.set_random_seed(0)
    model, place = make(), {}
    for steps in (*interruptions, None):
        every = 2 if make is pretraining else 1
        checkpoint = ks.training.callbacks.Checkpoint(tmp_path / "checkpoints", every=every)
        callbacks = [checkpoint, parts, losses[1], *([Interrupt(steps)] if steps else [])]
        fit = {"epochs": 3, "initial_epoch": place.get("epoch", 0), "callbacks": callbacks}
        try:
            model.fit(data(images, labels, **place), verbose=0, **fit)
        except InterruptedRunError:
            keras.utils.set_random_seed(steps)  # Nothing may depend on it.
            run = ks.training.resume(tmp_path / "checkpoints")
            model, place = run.model, {"epoch": run.epoch, "first_batch": run.batch}
            assert run.step == run.epoch * BATCHES + run.batch
    assert same(whole.variables, parts.variables)
    assert whole.logs == parts.logs
    assert (tmp_path / "whole").read_text() == (tmp_path / "parts").read_text()
    assert len(losses[1].losses) == 3 * BATCHES


@pytest.fixture(scope="module")
def checkpoints(make_model, images, tmp_path_factory):
    """The folder of a run of two epochs of four steps, and what else the run left."""
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    (folder / ".step-00000001.part").mkdir(parents=True)
    (folder / "notes").mkdir()
    model = make_model()
    model.compile(keras.optimizers.AdamW(1e-3))
    saved = ks.training.callbacks.Checkpoint(folder, every=3, keep=3)
    model.fit(data(images), epochs=2, verbose=0, callbacks=[saved])
    return folder


@pytest.fixture
def damageable(checkpoints, tmp_path):
    return shutil.copytree(checkpoints, tmp_path / "checkpoints")


def test_the_newest_are_kept_and_nothing_half_written(checkpoints, images):
    names = sorted(path.name for path in checkpoints.iterdir())
    assert names == ["notes", "step-00000004", "step-00000006", "step-00000008"]
    states = [checkpoint_files.read_state(checkpoints / name) for name in names[1:]]
    assert [(state.epoch, state.batch) for state in states] == [(1, 0), (1, 2), (2, 0)]
    model = keras.saving.load_model(checkpoints / names[-1] / "model.keras")
    assert model.embed(images).shape == (8, 16)
    assert ks.training.resume(checkpoints.parent / "other") is None


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_state(folder):
    content = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**content, "batch": 1}))


DAMAGES = {
    "model.keras is damaged": lambda folder: flip(folder / "model.keras"),
    "model.keras cannot be read": lambda folder: (folder / "model.keras").unlink(),
    "run.json is damaged: its checksum": change_state,
    "run.json is damaged: JSONDecodeError": lambda folder: (folder / "run.json").write_text("{"),
    "run.json is damaged: its check": lambda folder: (folder / "run.json").write_text("[]"),
    "run.json cannot be read": lambda folder: (folder / "run.json").unlink(),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_damaged_checkpoint_is_reported_and_the_one_before_is_used(message, damageable, caplog):
    newest = damageable / "step-00000008"
    DAMAGES[message](newest)
    (damageable / "damaged-step-00000008").mkdir()  # Met before.
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        run = ks.training.resume(damageable)
    assert (run.epoch, run.batch, run.step) == (1, 2, 6)
    assert str(newest) in caplog.text
    assert message in caplog.text
    assert not newest.exists()
    assert (damageable / "damaged-step-00000008-2").exists()


def test_if_all_are_damaged_all_reasons_are_given(damageable):
    for folder in damageable.glob("step-*"):
        flip(folder / "model.keras")
    with pytest.raises(ValueError, match=r"step-00000008: .*step-00000006: .*step-00000004: "):
        ks.training.resume(damageable)


def test_an_error_while_saving_leaves_the_last_good_one(damageable, monkeypatch):
    run = ks.training.resume(damageable)

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint_files, "_to_disk", full)
    before = sorted(damageable.rglob("*"))
    with pytest.raises(OSError, match="No space left"):
        checkpoint_files.write(run.model, damageable, run.epoch, run.batch)
    assert sorted(damageable.rglob("*")) == before
    assert ks.training.resume(damageable).step == 8


def test_writing_makes_no_new_optimizer(damageable):
    """Each new one would leave 72 kB behind on TensorFlow, at every checkpoint."""
    run = ks.training.resume(damageable)
    checkpoint_files.write(run.model, damageable, run.epoch, run.batch)
    made = keras.backend.get_uid("optimizer")
    checkpoint_files.write(run.model, damageable, run.epoch, run.batch)
    assert keras.backend.get_uid("optimizer") == made + 1  # This question's own.


def test_another_runs_checkpoints_are_not_touched(damageable, make_model, images):
    before = sorted(damageable.rglob("*"))
    model = make_model()
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"holds a checkpoint of step 8, but .* has 0 steps"):
        model.fit(images, verbose=0, callbacks=[ks.training.callbacks.Checkpoint(damageable)])
    assert sorted(damageable.rglob("*")) == before


def test_fit_refuses_to_go_on_at_another_place(damageable, images):
    shutil.rmtree(damageable / "step-00000008")
    run = ks.training.resume(damageable)
    for initial_epoch, epoch, first_batch in ((0, 1, 2), (1, 0, 2), (1, 1, 0)):
        dataset = data(images, epoch=epoch, first_batch=first_batch)
        with pytest.raises(ValueError, match=r"goes on with .'initial_epoch': 1, 'first_batch': 2"):
            run.model.fit(dataset, epochs=2, initial_epoch=initial_epoch, verbose=0)
    dataset = data(images, epoch=1, first_batch=2)
    with pytest.raises(ValueError, match="steps_per_epoch cannot be given"):
        run.model.fit(dataset, epochs=2, initial_epoch=1, steps_per_epoch=3)
    assert int(ops.convert_to_numpy(run.model.step)) == 6


class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = batch == 1


def test_an_epoch_that_is_stopped_early_is_saved_where_it_stopped(make_model, images, tmp_path):
    model = make_model()
    model.compile("sgd")
    saved = ks.training.callbacks.Checkpoint(tmp_path)
    model.fit(data(images), epochs=3, verbose=0, callbacks=[saved, Stop()])
    state = checkpoint_files.read_state(tmp_path / "step-00000002")
    assert (state.epoch, state.batch, state.step) == (0, 2, 2)

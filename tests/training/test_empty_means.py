"""Means over nothing are NaN in an epoch's logs, in no step's, and nobody's best value."""

import logging
import math

import keras
import numpy as np
import pytest

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch", "tensorflow")
POISONED = np.full((8, 16, 24, 3), np.nan, "float32")


@pytest.fixture(scope="module")
def compiled(make_model):
    model = make_model(num_classes=3)
    model.compile(keras.optimizers.SGD(1e-3))
    return model


class EverySecondEpoch(keras.utils.PyDataset):
    """Eight images, which are poisoned in the first of two epochs."""

    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels, self.poisoned = images.astype("float32"), labels, True

    def __len__(self):
        return 2

    def __getitem__(self, index):
        images = POISONED if self.poisoned else self.images
        return images[4 * index : 4 * index + 4], self.labels[4 * index : 4 * index + 4]

    def on_epoch_end(self):
        self.poisoned = False


def test_an_epoch_of_skipped_steps_is_never_the_best(compiled, images, labels, tmp_path, caplog):
    seen = []
    stopping = keras.callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True)
    saving = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.weights.h5", "loss", save_best_only=True, save_weights_only=True
    )
    slower = keras.callbacks.ReduceLROnPlateau("loss", patience=5)
    steps = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(logs))
    data = EverySecondEpoch(images, labels)
    # Keras asks a data set for the end of an epoch before the first one as well.
    data.on_epoch_end = lambda: None
    switch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: setattr(data, "poisoned", False)
    )
    callbacks = [
        [keras.callbacks.TerminateOnNaN(), switch, stopping, saving, slower],
        steps,
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        ks.training.callbacks.StepLosses(tmp_path / "losses.csv"),
    ]
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        history = compiled.fit(
            data, epochs=2, shuffle=False, verbose=0, callbacks=callbacks
        ).history
    assert math.isnan(history["loss"][0])
    assert math.isnan(history["accuracy"][0])
    assert history["skipped_steps"][0] == 2
    assert math.isfinite(history["loss"][1])
    assert stopping.best == saving.best == slower.best == history["loss"][1]
    assert stopping.best_epoch == 1
    assert ["loss" in logs for logs in seen] == [False, False, True, True]
    assert (tmp_path / "log.csv").read_text().splitlines()[1].count("nan") >= 2
    losses = np.loadtxt(tmp_path / "losses.csv", delimiter=",", skiprows=1)[:, 1]
    assert np.isnan(losses).tolist() == [True, True, False, False]
    assert np.mean(losses[2:]) == pytest.approx(history["loss"][1], rel=1e-5)
    (record,) = caplog.records
    assert "Epoch 1 has no loss: every step was skipped" in record.message
    assert "loss scale" not in record.message


def test_the_warning_tells_a_loss_scale_that_is_being_found(make_model, images, caplog):
    model = make_model()
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3)))
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        model.fit(POISONED, epochs=2, batch_size=8, verbose=0)
    (record,) = caplog.records
    assert "its loss scale is still being found" in record.message


def test_images_without_labels_have_no_accuracy(compiled, images, caplog):
    none = np.full(8, -1)
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        history = compiled.fit(images, none, batch_size=4, verbose=0).history
    assert math.isfinite(history["loss"][0])
    assert math.isnan(history["accuracy"][0])
    assert "no accuracy, classification_loss: no image counted" in caplog.text
    found = compiled.evaluate(images, none, batch_size=4, verbose=0, return_dict=True)
    assert math.isnan(found["accuracy"])
    assert math.isfinite(found["loss"])


def test_metrics_of_the_user_have_no_value_either():
    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.ImageClassifier(backbone, 2)
    model.compile(keras.optimizers.SGD(1e-3), metrics=[keras.metrics.AUC(name="auc")])
    history = model.fit(POISONED, np.arange(8) % 2, batch_size=8, verbose=0).history
    assert math.isnan(history["auc"][0])


@pytest.mark.parametrize("precision", ["float16"], indirect=True)
def test_float16_without_a_loss_scale_is_warned_of(precision, make_model):
    model = ks.ImageClassifier(ks.backbones.ConvNet((16, 24, 3), filters=(4,)), 2)
    with pytest.warns(UserWarning, match="'float16' without a loss scale .* 'mixed_float16'"):
        model.compile("sgd")

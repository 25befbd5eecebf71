"""What `fit` of every backend takes from a data set is the epochs in turn."""

import keras
import numpy as np
import pytest

from keras_simmim import data


class Recorder(keras.callbacks.Callback):
    """Keep the mean of the outputs of every epoch, which tells epochs apart."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, logs["loss"]))


def losses_of(dataset, epochs, initial_epoch=0):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    # Nothing is learned: the loss tells which images an epoch held. Nothing is built yet either.
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    recorder = Recorder()
    model.fit(
        dataset,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[recorder],
    )
    return recorder.epochs


@pytest.mark.fast_on("torch")
def test_fit_sees_the_epochs_in_turn(textured_images):
    def labeled(**options):
        return data.from_arrays(
            textured_images, np.arange(10), image_size=16, batch_size=3, **options
        )

    dataset = labeled()
    assert int(dataset.cardinality()) == 3
    whole = losses_of(dataset, 3)
    assert len({loss for _, loss in whole}) == 3
    resumed = losses_of(labeled(epoch=1), 3, initial_epoch=1)
    np.testing.assert_allclose([loss for _, loss in resumed], [loss for _, loss in whole[1:]])

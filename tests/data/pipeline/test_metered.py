"""Counting images and waiting, where batches are taken in another way on every backend."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_simmim as ks

DELAY = 0.02  # seconds


def delayed(dataset):
    """The same batches, each after a wait."""

    def wait(batch):
        time.sleep(DELAY)
        return batch

    return dataset.map(
        lambda batch: tf.ensure_shape(tf.numpy_function(wait, [batch], batch.dtype), batch.shape)
    )


def test_the_batches_are_the_same_and_all_waiting_is_counted(images):
    source = ks.data.from_arrays(images, np.arange(8), batch_size=3, training=False)
    dataset = ks.data.metered(delayed(source.map(lambda image, label: image)))
    assert dataset.meter.images == dataset.meter.seconds == 0
    started = time.perf_counter()
    batches = []
    for batch in dataset:
        batches.append(batch.numpy())
        time.sleep(DELAY)  # what the one who asked does is no waiting
    elapsed = time.perf_counter() - started
    np.testing.assert_array_equal(np.concatenate(batches), images)
    assert dataset.meter.images == 8
    assert 3 * DELAY <= dataset.meter.seconds <= elapsed - 3 * DELAY


def test_labels_and_names_stay(images):
    source = ks.data.from_arrays(images, np.arange(8), batch_size=4)
    source.another = "told"
    dataset = ks.data.metered(source)
    assert dataset.another == "told"
    assert dataset.element_spec == source.element_spec
    assert int(dataset.cardinality()) == 2
    assert (dataset.image_count, dataset.class_names) == (source.image_count, source.class_names)


@pytest.mark.fast_on("torch")
def test_fit_waits_for_a_slow_source(make_model, images):
    dataset = ks.data.metered(delayed(ks.data.from_arrays(images, batch_size=2)))
    model = make_model()
    model.compile(keras.optimizers.SGD(1e-3))
    telemetry = ks.training.callbacks.Telemetry(dataset)
    logs = model.fit(dataset, epochs=2, verbose=0, callbacks=[telemetry]).history
    for share, seconds, speed in zip(
        logs["data_wait_share"], logs["epoch_seconds"], logs["images_per_second"], strict=True
    ):
        assert 4 * DELAY <= share * seconds <= seconds
        assert speed * seconds == pytest.approx(8)


def test_other_data_is_refused(images):
    with pytest.raises(TypeError, match=r"dataset must be a tf.data.Dataset, got ndarray"):
        ks.data.metered(images)
    with pytest.raises(ValueError, match=r"must come from ks.data.metered.*got ndarray"):
        ks.training.callbacks.Telemetry(images)

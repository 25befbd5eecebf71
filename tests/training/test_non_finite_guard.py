"""A step whose loss or gradients are not finite is skipped and counted, and changes nothing."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks


def state(model):
    """Everything that a step may change but the two counts of steps."""
    counts = (model.step, model.skipped_steps)
    variables = [*model.variables, *model.optimizer.variables]
    return [
        np.array(ops.convert_to_numpy(variable))
        for variable in variables
        if not any(variable is count for count in counts)
    ]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def poisoned(images, value=np.nan):
    bad = images.astype("float32")
    bad[3, 5, 7, 1] = value
    return bad


def with_running_state(make_model):
    """A model with labels, running scales and branches that are skipped at random."""
    backbone = ks.backbones.ViT(
        (16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16, drop_path_rate=0.2
    )
    modalities = [ks.masking.SpatialMasking(), ks.masking.ColorMasking()]
    return ks.SimMIM(
        backbone,
        ks.masking.IterativeMasking(modalities, block_size=8),
        mask_on="pixels",
        classifier=ks.heads.ClassificationHead(3),
        embedding_metrics=True,
    )


@pytest.mark.long
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_poisoned_batch_changes_nothing(make_model, images, labels, value):
    model = with_running_state(make_model)
    # Keras 3.15 cannot call fit twice with averages on JAX, whatever the model.
    averages = keras.backend.backend() != "jax"
    model.compile(keras.optimizers.AdamW(1e-3, use_ema=averages))
    model.fit(images, labels, batch_size=8, verbose=0)
    before = state(model)
    logs = model.fit(poisoned(images, value), labels, batch_size=8, verbose=0).history
    assert same(before, state(model))
    assert logs["skipped_steps"] == [1]
    assert int(ops.convert_to_numpy(model.step)) == 2
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 1
    # And the run goes on.
    model.fit(images, labels, batch_size=8, verbose=0)
    assert not same(before, state(model))


@pytest.mark.long
def test_the_logs_are_those_of_the_good_batches(make_model, images):
    model = make_model()
    model.compile(keras.optimizers.SGD(0.0))
    good = model.evaluate(images[:4], verbose=0, return_dict=True)["loss"]
    both = np.concatenate([images[:4], poisoned(images)[:4]])
    logs = model.fit(both, batch_size=4, shuffle=False, verbose=0).history
    assert np.isfinite(logs["loss"][0])
    assert np.isfinite(logs["gradient_norm"][0])
    assert logs["skipped_steps"] == [1]
    assert abs(logs["loss"][0] - good) < 0.5 * good


def test_a_classifier_and_its_metrics_skip_too(images):
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    classifier = ks.ImageClassifier(backbone, 3, mixup=0.5)
    metric = keras.metrics.SparseTopKCategoricalAccuracy(3, name="top")
    classifier.compile(keras.optimizers.AdamW(1e-3), metrics=[metric])
    both = np.concatenate([images, poisoned(images)])
    labels = np.concatenate([labels, labels])
    logs = classifier.fit(both, labels, batch_size=8, shuffle=False, verbose=0).history
    assert logs["skipped_steps"] == [1]
    assert logs["top"] == [1]
    assert np.isfinite(logs["loss"]).all()
    assert all(np.isfinite(array).all() for array in state(classifier))


def convolutional(cls=ks.SimMIM, **averages):
    """A model that computes in any precision on any backend, with a state of every kind."""
    keras.utils.set_random_seed(0)
    images = keras.Input((16, 24, 3))
    maps = keras.layers.Conv2D(4, 4, 4, name="patches")(images)
    maps = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(maps))
    network = keras.Model(images, keras.layers.Conv2D(4, 3, padding="same")(maps))
    backbone = ks.backbones.from_keras(network, mask_at="patches")
    modalities = [ks.masking.SpatialMasking(), ks.masking.ColorMasking()]
    generator = ks.masking.IterativeMasking(modalities, block_size=8)
    model = cls(backbone, generator, mask_on="pixels")
    model.compile(keras.optimizers.AdamW(1e-2, **averages))
    return model


def without_scale(model):
    """The state but for a loss scale, which falls as it must."""
    counts = (model.step, model.skipped_steps)
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    variables = [v for v in model.variables if not any(v is count for count in counts)]
    return [np.array(ops.convert_to_numpy(v)) for v in [*variables, *inner.variables]]


@pytest.mark.parametrize(
    "precision",
    [
        pytest.param("mixed_bfloat16", marks=pytest.mark.long),
        pytest.param("mixed_float16", marks=pytest.mark.fast_on("torch")),
    ],
    indirect=True,
)
def test_nothing_but_the_counts_tells_of_a_poisoned_step(images, precision):
    both = np.concatenate([images, poisoned(images, np.inf)])
    clean, other = (convolutional(use_ema=True, ema_momentum=0.5) for _ in range(2))
    logs = [
        model.fit(data, batch_size=8, shuffle=False, verbose=0).history
        for model, data in ((clean, images), (other, both))
    ]
    assert same(without_scale(clean), without_scale(other))
    assert [log.pop("skipped_steps") for log in logs] == [[0], [1]]
    assert logs[0] == logs[1]
    assert int(ops.convert_to_numpy(other.step)) == 2


@pytest.mark.long
@pytest.mark.parametrize(
    "precision",
    ["float32", "mixed_float16"],
    indirect=True,
)
def test_averages_of_no_step_are_the_weights(images, precision):
    model = convolutional(use_ema=True)
    before = without_scale(model)[: len(model.variables) - 2]
    model.fit(poisoned(images), batch_size=8, verbose=0)
    assert same(before, without_scale(model)[: len(before)])


class InfiniteLoss(ks.SimMIM):
    """Its loss is infinite, and its gradients are not."""

    def compute_losses(self, data, training):
        measured = super().compute_losses(data, training)
        loss, weight = measured.losses["loss"]
        measured.losses["loss"] = (loss + float("inf"), weight)
        return measured


@pytest.mark.parametrize(
    "precision",
    ["float32", pytest.param("mixed_float16", marks=pytest.mark.long)],
    indirect=True,
)
def test_a_loss_alone_is_enough(images, precision):
    model = convolutional(InfiniteLoss)
    before = without_scale(model)
    logs = model.fit(images, batch_size=8, verbose=0).history
    assert logs["skipped_steps"] == [1]
    assert same(before, without_scale(model))


def test_a_run_that_does_not_get_on_ends_with_an_explanation(make_model, images, tmp_path):
    model = make_model()
    model.compile(keras.optimizers.SGD(1e-3), stop_after_skipped=3)
    before = state(model)
    ends = []
    told = keras.callbacks.LambdaCallback(on_train_end=lambda logs: ends.append(True))
    with pytest.raises(FloatingPointError, match=r"the last 3 steps.*skipped"):
        model.fit(poisoned(images), batch_size=8, epochs=50, verbose=0, callbacks=[told])
    assert int(ops.convert_to_numpy(model.step)) == 3
    assert ends == [True]
    assert same(before, state(model))
    # One bad step among good ones is no reason, nor are those of an earlier run.
    mixed = np.concatenate([images, poisoned(images)])
    model.fit(mixed, batch_size=8, epochs=4, shuffle=False, verbose=0)
    assert int(ops.convert_to_numpy(model.skipped_steps)) == 3 + 4
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.stop_after_skipped == 3
    assert int(ops.convert_to_numpy(loaded.skipped_steps)) == 7


@pytest.mark.long
def test_it_can_be_told_to_go_on(make_model, images):
    model = make_model()
    model.compile(keras.optimizers.SGD(1e-3), stop_after_skipped=None)
    model.fit(poisoned(images), batch_size=8, epochs=25, verbose=0)
    assert int(ops.convert_to_numpy(model.skipped_steps)) == 25
    with pytest.raises(ValueError, match="stop_after_skipped must be at least 1 or None, got 0"):
        model.compile(stop_after_skipped=0)

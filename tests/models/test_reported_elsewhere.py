"""What went wrong for users of other libraries, tried on this one."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")
LABELS = np.arange(8) % 2


def backbone():
    return ks.backbones.ConvNet((16, 24, 3), filters=(4,))


@pytest.fixture(scope="module")
def classifier():
    return ks.ImageClassifier(backbone(), 2)


def from_keras():
    images = keras.Input((16, 24, 3))
    patches = keras.layers.Conv2D(8, 4, 4, name="patches")(images)
    network = keras.Model(images, keras.layers.Conv2D(6, 3, padding="same")(patches))
    return ks.backbones.from_keras(network, mask_at="patches")


@pytest.mark.any_backend
def test_a_copied_keras_model_can_still_be_saved(images, tmp_path):
    model = ks.SimMIM(from_keras(), ks.masking.SpatialMasking(0.5, 2))
    for _ in range(2):
        ks.ImageClassifier.from_pretrained(model, 2)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.embed(images), model.embed(images), atol=1e-6)


@pytest.mark.any_backend
def test_a_sequential_model_is_a_backbone():
    layers = [keras.Input((16, 24, 3)), keras.layers.Conv2D(4, 8, 8)]
    assert ks.backbones.from_keras(keras.Sequential(layers)).feature_shape == (2, 3, 4)


def test_names_of_metrics_are_those_of_values(classifier, make_model, images):
    labelled = make_model(num_classes=2)
    for model in (classifier, labelled):
        model.compile(keras.optimizers.SGD(0.0), stop_after_skipped=None)
        model.fit(images, LABELS, verbose=0)
        found = model.evaluate(images, LABELS, verbose=0, return_dict=True)
        values = model.evaluate(images, LABELS, verbose=0)
        named = dict(zip(model.metrics_names, values, strict=False))
        assert named == pytest.approx(found, rel=1e-4)


def test_metrics_that_are_vectors(classifier, images):
    classifier.compile("sgd", metrics=["f1_score"])
    history = classifier.fit(images, LABELS, verbose=0).history
    assert np.shape(history["f1_score"][0]) == (2,)


@pytest.mark.parametrize("labels", [np.eye(2)[LABELS], LABELS + 0.5, LABELS + 1], ids=str)
def test_labels_that_are_no_classes(classifier, make_model, images, labels):
    labelled = make_model(num_classes=2)
    for model in (classifier, labelled):
        model.compile("sgd")
        with pytest.raises(ValueError, match="must be"):
            model.fit(images, labels, verbose=0)
        if labels.ndim == 2:
            with pytest.raises(ValueError, match="such as one-hot ones"):
                model.evaluate(images, labels, batch_size=1, verbose=0)
        else:
            loss = model.evaluate(images, labels, verbose=0, return_dict=True)["loss"]
            assert np.isnan(loss)


def test_class_weights_of_one_call_are_not_those_of_the_next(classifier, images):
    classifier.compile(keras.optimizers.SGD(0.0))

    def loss(**options):
        classifier.reset_metrics()
        logs = classifier.train_on_batch(images, LABELS, return_dict=True, **options)
        return float(ops.convert_to_numpy(logs["loss"]))

    plain = loss()
    classifier.fit(images, LABELS, class_weight={0: 10.0, 1: 10.0}, verbose=0)
    assert loss() == pytest.approx(plain, rel=1e-5)
    assert loss(class_weight={0: 2.0, 1: 2.0}) == pytest.approx(2 * plain, rel=1e-5)


def test_lists_and_nothing(classifier, images):
    classifier.compile("sgd")
    expected = classifier.predict(images, verbose=0)
    np.testing.assert_allclose(classifier.predict(list(images), verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(classifier.embed(list(images)), classifier.embed(images), atol=1e-6)
    assert len(classifier.evaluate(list(images), LABELS.tolist(), verbose=0)) == 2
    assert classifier.embed(images[:0]).shape == (0, 4)


@pytest.mark.any_backend
def test_masks_that_hide_everything(images):
    network = ks.backbones.ViT((16, 24, 3), 8, 1, 2, 8)
    model = ks.SimMIM(network, ks.masking.SpatialMasking(0.5, (2, 3)))
    model.compile("sgd")
    with pytest.warns(UserWarning, match=r"hides all 1 blocks .*smaller blocks"):
        model.fit(images, verbose=0)
    with pytest.raises(ValueError, match=r"ratio=0.99 hides all 6 blocks of block_size=\(1, 1\)"):
        ks.SimMIM(network, ks.masking.SpatialMasking(0.99, 1), encode="visible")
    # What is hidden of all blocks may be seen in the other part of them.
    model = ks.SimMIM(network, ks.masking.ColorMasking("chroma", 0.99, 8), mask_on="pixels")
    model.compile("sgd")
    model.fit(images, verbose=0)


def planned(model):
    return model.optimizer.get_config()["learning_rate"]["config"]["total_steps"]


@pytest.mark.any_backend
def test_a_recipe_plans_the_steps_that_there_are(images):
    import torch

    def fitted(x, y=None, **options):
        model = ks.ImageClassifier(backbone(), 2, recipe="auto", rand_augment=0)
        model.fit(x, y, epochs=2, verbose=0, **options)
        assert planned(model) == int(ops.convert_to_numpy(model.step))
        return planned(model)

    pairs = torch.utils.data.TensorDataset(torch.tensor(images), torch.tensor(LABELS))
    assert fitted(torch.utils.data.DataLoader(pairs, batch_size=2, shuffle=True)) == 8
    assert fitted(images, LABELS, batch_size=2, validation_split=0.25) == 6
    batches = ((images[:2], LABELS[:2]) for _ in range(8))
    assert fitted(batches, steps_per_epoch=4) == 8
    with pytest.raises(ValueError, match="give steps_per_epoch"):
        fitted((images[:2], LABELS[:2]) for _ in range(4))


@pytest.mark.any_backend
def test_evaluators_of_loaders(make_model, images):
    import torch

    pairs = torch.utils.data.TensorDataset(torch.tensor(images), torch.tensor(LABELS))
    loader = torch.utils.data.DataLoader(pairs, batch_size=3, shuffle=True)
    evaluator = ks.evaluation.KNN(loader, (images, LABELS), k=1)
    assert dict(evaluator(make_model())) == {"knn_accuracy": 1.0}


@pytest.mark.only_on("tensorflow")
def test_the_guard_counts_steps_and_not_calls(images):
    poisoned = np.repeat(images, 10, axis=0).astype("float32")
    poisoned[::8] = np.nan
    model = ks.SimMIM(backbone(), ks.masking.SpatialMasking(0.5, 8), mask_on="pixels")
    model.compile("sgd", steps_per_execution=4, stop_after_skipped=5)
    model.fit(poisoned, batch_size=4, shuffle=False, verbose=0)
    assert int(ops.convert_to_numpy(model.skipped_steps)) == 10
    with pytest.raises(ValueError, match=r"needs compile\(steps_per_execution=1\)"):
        model.fit(images, callbacks=[ks.training.callbacks.StepLosses("losses.csv")])
    with pytest.raises(FloatingPointError, match="labels that are no classes"):
        model.fit(np.full_like(poisoned, np.nan), batch_size=4, verbose=0)


def averaged(make_model):
    model = make_model()
    model.compile(keras.optimizers.AdamW(1e-2, use_ema=True, ema_momentum=0.9))
    return model


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="Keras 3.15 cannot call fit twice with averages on JAX, whatever the model",
)
def test_a_checkpoint_has_weights_and_averages_in_their_places(make_model, images, tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def fit(model, *others, epoch=0):
        data = ks.data.from_arrays(images, batch_size=4, epoch=epoch)
        swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
        callbacks = [swap, *others]
        model.fit(data, epochs=3, initial_epoch=epoch, verbose=0, callbacks=callbacks)
        return model

    whole = fit(averaged(make_model))
    with pytest.raises(KeyboardInterrupt):
        fit(averaged(make_model), ks.training.callbacks.Checkpoint(tmp_path), Kill())
    resumed = fit(ks.training.resume(tmp_path).model, epoch=2)
    for mine, its in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (mine, its)))


@pytest.mark.any_backend
def test_a_finished_runs_network_is_the_models(make_model, images, tmp_path):
    model = averaged(make_model)
    saved = ks.training.callbacks.Checkpoint(tmp_path)
    model.fit(images, batch_size=4, epochs=2, verbose=0, callbacks=[saved])
    kernels = [
        ops.convert_to_numpy(ks.ImageClassifier.from_pretrained(source, 2).backbone.stem.kernel)
        for source in (model, tmp_path)
    ]
    np.testing.assert_allclose(*kernels, atol=1e-7)


@pytest.mark.any_backend
def test_two_runs_do_not_write_into_one_directory(make_model, images, tmp_path):
    first, second = make_model(), make_model()
    for model in (first, second):
        model.compile("sgd")
    other = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: second.fit(
            images, epochs=3, verbose=0, callbacks=[ks.training.callbacks.Checkpoint(tmp_path)]
        )
    )
    saved = ks.training.callbacks.Checkpoint(tmp_path)
    with pytest.raises(ValueError, match=r"steps \[1, 2, 3\] that another run has written"):
        first.fit(images, verbose=0, callbacks=[saved, other])
    assert ks.training.resume(tmp_path).step == 3


@pytest.mark.any_backend
def test_a_place_that_cannot_be_written_is_found_at_the_start(make_model, images, tmp_path):
    model = make_model()
    model.compile("sgd")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "checkpoints"):
        with pytest.raises(OSError, match="file"):
            model.fit(images, verbose=0, callbacks=[ks.training.callbacks.Checkpoint(place)])
    assert int(ops.convert_to_numpy(model.step)) == 0


@pytest.mark.any_backend
def test_arrays_begin_an_interrupted_epoch_anew_if_asked(make_model, images, tmp_path):
    model = make_model()
    model.compile("sgd")
    stop = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 1)
    )
    saved = ks.training.callbacks.Checkpoint(tmp_path, every=1)
    model.fit(images, batch_size=2, verbose=0, callbacks=[saved, stop])
    run = ks.training.resume(tmp_path)
    with pytest.raises(ValueError, match=r"'first_batch': 2.* whole_epochs=True"):
        run.model.fit(images, batch_size=2, verbose=0)
    run = ks.training.resume(tmp_path, whole_epochs=True)
    assert (run.epoch, run.batch, run.step) == (0, 0, 2)
    run.model.fit(images, batch_size=2, verbose=0)
    assert int(ops.convert_to_numpy(run.model.step)) == 6

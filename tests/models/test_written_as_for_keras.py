"""What every user of Keras writes is accepted where it says the same, and explained where not."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")
LABELS = np.arange(8) % 3


def backbone(**arguments):
    return ks.backbones.ViT((16, 24, 3), 4, 1, 2, 16, **arguments)


@pytest.fixture(scope="module")
def classifier():
    return ks.ImageClassifier(backbone(), 3)


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras.losses.SparseCategoricalCrossentropy(),
    ],
)
def test_the_models_own_loss_by_every_name(classifier, loss):
    classifier.compile("sgd", loss=loss, metrics=["accuracy"])
    classifier.compile("sgd", loss, metrics="accuracy")


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ("categorical_crossentropy", "one-hot targets"),
        (keras.losses.BinaryCrossentropy(), "one-hot targets or binary"),
        (keras.losses.SparseCategoricalCrossentropy(reduction="sum"), "another reduction"),
        (keras.losses.SparseCategoricalCrossentropy(ignore_class=0), "a class to ignore"),
        ("mse", "another loss"),
    ],
)
def test_other_losses_are_refused_with_the_reason(classifier, loss, reason):
    with pytest.raises(ValueError, match=f"brings its own losses.*{reason}"):
        classifier.compile("sgd", loss=loss)


def metrics_of(labels, probabilities):
    """What scikit-learn makes of it."""
    from sklearn import metrics

    named = probabilities.argmax(axis=1)
    return {
        "auc": metrics.roc_auc_score(labels, probabilities[:, 1]),
        "precision": metrics.precision_score(labels, named, zero_division=0),
        "recall": metrics.recall_score(labels, named),
    }


def test_metrics_of_two_classes_are_those_of_class_1(images, tmp_path):
    labels = np.array([0, 1, 1, 0, 1, 1, 0, 1])
    model = ks.ImageClassifier(backbone(), 2)
    model.classifier.fully_connected.kernel.assign(
        np.random.default_rng(0).normal(size=(16, 2)) * 0.5
    )
    chosen = [
        keras.metrics.AUC(2000, name="auc"),
        keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"),
    ]
    model.compile(keras.optimizers.SGD(0.0), metrics=chosen)
    found = model.evaluate(images, labels, verbose=0, return_dict=True)
    expected = metrics_of(labels, model.predict(images, verbose=0))
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.evaluate(images, labels, verbose=0, return_dict=True)
    assert again == pytest.approx(found, abs=1e-5)


def test_metrics_of_more_classes_see_one_hot_targets(images):
    from sklearn.metrics import f1_score

    model = ks.ImageClassifier(backbone(), 3)
    model.compile(
        keras.optimizers.SGD(0.0),
        metrics=[
            keras.metrics.F1Score(name="f1"),
            keras.metrics.Precision(class_id=2, name="precision"),
            keras.metrics.AUC(multi_label=True, num_labels=3, name="auc"),
            keras.metrics.SparseTopKCategoricalAccuracy(2),
        ],
    )
    found = model.evaluate(images, LABELS, verbose=0, return_dict=True)
    probabilities = model.predict(images, verbose=0)
    expected = f1_score(LABELS, probabilities.argmax(axis=1), average=None)
    np.testing.assert_allclose(found["f1"], expected, atol=1e-5)
    above = probabilities[:, 2] > 0.5
    assert found["precision"] == pytest.approx(np.sum(above & (LABELS == 2)) / max(above.sum(), 1))
    assert 0 <= found["auc"] <= 1
    with pytest.raises(ValueError, match="metrics must be a list"):
        model.compile("sgd", metrics={"probabilities": "accuracy"})


def test_lists_positions_and_one_callback(classifier, images):
    classifier.compile("sgd")
    history = keras.callbacks.History()
    validation_data = (list(images), LABELS.tolist())
    classifier.fit(images, LABELS.tolist(), 4, 1, 0, [history], validation_data=validation_data)
    assert set(history.history) >= {"loss", "accuracy", "val_loss"}
    classifier.fit(list(images), LABELS, verbose=0, callbacks=history)


def test_pixels_from_0_to_1_are_warned_of(classifier, make_model, images):
    small = images.astype("float32") / 255
    classifier.compile("sgd")
    with pytest.warns(UserWarning, match="pixels are 0-255"):
        classifier.fit(small, LABELS, verbose=0)
    model = make_model()
    model.compile("sgd")
    with pytest.warns(UserWarning, match="multiply them by 255"):
        model.fit(small, verbose=0)
    model.fit(small * 255, verbose=0)


def test_pixels_of_a_data_set_are_looked_at(classifier, containers, images):
    classifier.compile("sgd")
    with pytest.warns(UserWarning, match="pixels are 0-255"):
        classifier.fit(containers["dataset"](images.astype("float32") / 255, LABELS), verbose=0)


def test_a_recipe_begins_anew_with_every_fit(images, tmp_path):
    model = ks.ImageClassifier(backbone(), 3, recipe="auto", rand_augment=0)
    rates = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(
            float(ops.convert_to_numpy(model.optimizer.learning_rate))
        )
    )
    for _ in range(2):
        model.fit(images, LABELS, batch_size=2, verbose=0, callbacks=[note])
    assert rates[:4] == rates[4:]
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    model.fit(images, LABELS, batch_size=2, verbose=0, callbacks=[note])
    assert rates[:4] == rates[8:]
    # One that was compiled by hand is left alone.
    mine = keras.optimizers.SGD(1e-3)
    model.compile(mine)
    model.fit(images, LABELS, verbose=0)
    assert model.optimizer is mine


def test_nothing_works_before_compile_but_what_needs_none(make_model, images, tmp_path):
    for model in (make_model(num_classes=3), ks.ImageClassifier(backbone(), 3)):
        for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
            with pytest.raises(ValueError, match=r"You must call `compile\(\)`"):
                call(images, LABELS)
        assert model.predict(images, verbose=0).shape == (8, 3)
        assert model.embed(images).shape == (8, 16)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert not loaded.compiled
        with pytest.raises(ValueError, match=r"You must call `compile\(\)`"):
            loaded.fit(images, LABELS)
        for _ in range(2):
            loaded.compile("sgd")
            loaded.fit(images, LABELS, verbose=0)


@pytest.mark.any_backend
def test_a_run_is_a_pretrained_network(make_model, images, tmp_path):
    model = make_model()
    model.compile("sgd")
    folder = tmp_path / "run" / "checkpoints"
    checkpoint = ks.training.callbacks.Checkpoint(folder)
    model.fit(images, epochs=2, verbose=0, callbacks=[checkpoint])
    for source in (folder, folder.parent, str(folder)):
        found = ks.ImageClassifier.from_pretrained(source, 2)
        np.testing.assert_array_equal(
            *(ops.convert_to_numpy(m.backbone.stem.kernel) for m in (model, found))
        )
    newest = max(folder.glob("step-*"))
    (newest / "model.keras").write_bytes(b"cut")
    ks.ImageClassifier.from_pretrained(folder, 2)
    for path in folder.glob("step-*"):
        (path / "model.keras").write_bytes(b"cut")
    with pytest.raises(ValueError, match="all checkpoints are damaged"):
        ks.ImageClassifier.from_pretrained(folder, 2)


@pytest.mark.any_backend
def test_a_shape_that_a_file_cannot_take(make_model, tmp_path):
    make_model().save(tmp_path / "model.keras")
    for shape, message in (
        ((16, 24, 1), "must keep the 3 channels"),
        ((18, 24, 3), "patch_size=4 must divide"),
        ((16, 24), "must be \\(height, width, channels\\)"),
    ):
        with pytest.raises(ValueError, match=message):
            ks.ImageClassifier.from_pretrained(tmp_path / "model.keras", 2, image_shape=shape)


@pytest.mark.any_backend
def test_epochs_that_are_not_the_datas_are_not_saved_within(make_model, images, tmp_path):
    model = make_model()
    model.compile("sgd")
    dataset = ks.data.from_arrays(images, batch_size=2).repeat()
    checkpoint = ks.training.callbacks.Checkpoint(tmp_path, every=1)
    with pytest.raises(
        ValueError, match="every=1 saves within epochs, where a run with steps_per_epoch"
    ):
        model.fit(dataset, steps_per_epoch=3, epochs=2, verbose=0, callbacks=[checkpoint])
    assert not list(tmp_path.iterdir())
    whole = ks.training.callbacks.Checkpoint(tmp_path)
    model.fit(dataset, steps_per_epoch=3, epochs=2, verbose=0, callbacks=[whole])
    run = ks.training.resume(tmp_path)
    assert (run.epoch, run.batch, run.step) == (2, 0, 6)
    run.model.fit(dataset, steps_per_epoch=3, initial_epoch=2, epochs=3, verbose=0)


@pytest.mark.any_backend
def test_k_of_numpy():
    train = np.eye(2, dtype="float32")
    accuracy = ks.evaluation.knn_accuracy(train, [0, 1], train, [0, 1], k=np.int64(1))
    assert accuracy == 1.0

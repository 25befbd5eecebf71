"""Fine-tuning: what learns and what does not, the losses by NumPy, and what travels along."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
NAMES = ["ant", "bee", "cow"]


@pytest.fixture(scope="module")
def simmim():
    """A model whose backbone has everything that fine-tuning changes."""
    backbone = ks.backbones.ViT(
        (16, 24, 3),
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
        position_embedding=False,
        relative_position_bias="shared",
        layer_scale=0.1,
    )
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 2), mean=100, std=(50, 60, 70))


def classifier_of(simmim, **arguments):
    return ks.ImageClassifier.from_pretrained(simmim, 3, **arguments)


def values(weights):
    return [ops.convert_to_numpy(weight) for weight in weights]


def test_it_starts_with_the_pretrained_features_without_their_norm(simmim, images):
    classifier = classifier_of(simmim)
    pixels = simmim.normalize(images)
    expected = ops.convert_to_numpy(simmim.backbone.block_outputs(pixels)[0])
    given = ops.convert_to_numpy(classifier.backbone.block_outputs(pixels)[0])
    np.testing.assert_allclose(given, expected, atol=1e-5)
    assert classifier.backbone.get_config()["relative_position_bias"] == "block"
    assert not classifier.backbone.get_config()["final_norm"]
    assert (classifier.mean, classifier.std) == (simmim.mean, simmim.std)


def test_predictions_are_probabilities_of_norm_and_mean(simmim, images):
    classifier = classifier_of(simmim)
    probabilities = classifier.predict(images, verbose=0)
    features = ops.convert_to_numpy(classifier.backbone(classifier.normalize(images)))
    pooled = features.mean((1, 2))
    centred = pooled - pooled.mean(1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-6)
    kernel, bias = values(classifier.classifier.fully_connected.weights)
    logits = normed @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)
    assert probabilities.dtype == np.float32


def test_the_loss_is_the_smoothed_weighted_cross_entropy(simmim, images):
    classifier = classifier_of(simmim, label_smoothing=0.3)
    weight = np.linspace(0.5, 2, 8).astype("float32")
    logits = ops.convert_to_numpy(classifier.logits(images, training=True))
    logarithms = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    targets = np.eye(3)[LABELS] * 0.7 + 0.1
    data = images, LABELS, weight
    loss = ops.convert_to_numpy(classifier.compute_losses(data, training=True).losses["loss"][0])
    expected = np.mean(weight * -(targets * logarithms).sum(1))
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    # Evaluation does not smooth.
    loss = ops.convert_to_numpy(classifier.compute_losses(data, training=False).losses["loss"][0])
    expected = np.mean(weight * -logarithms[np.arange(8), LABELS])
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


@pytest.mark.long
def test_it_learns_what_can_be_learned_and_not_shuffled_labels(simmim):
    generator = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 16)
    colors = np.array([[200, 50, 50], [50, 200, 50], [50, 50, 200]])[labels]
    images = np.clip(generator.normal(colors[:, None, None], 60, (48, 16, 24, 3)), 0, 255)
    classifier = classifier_of(simmim)
    classifier.compile(keras.optimizers.Adam(3e-3))
    classifier.fit(images[:24], labels[:24], batch_size=8, epochs=8, verbose=0)
    right = classifier.evaluate(images[24:], labels[24:], verbose=0, return_dict=True)
    assert right["accuracy"] > 0.9
    assert right["loss"] < 0.6


@pytest.mark.parametrize("pooling", ["mean", pytest.param("attention", marks=pytest.mark.long)])
def test_frozen_only_the_head_learns(simmim, images, pooling):
    classifier = classifier_of(simmim, frozen=True, pooling=pooling)
    before = values(classifier.backbone.weights)
    head = values(classifier.classifier.weights)
    classifier.compile(keras.optimizers.Adam(1e-2))
    classifier.fit(images, LABELS, epochs=2, verbose=0)
    for old, new in zip(before, values(classifier.backbone.weights), strict=True):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(head, values(classifier.classifier.weights), strict=True):
        assert np.any(old != new)


@pytest.mark.long
def test_class_weights_count(simmim, images):
    losses = []
    classifier = classifier_of(simmim)
    classifier.compile(keras.optimizers.SGD(0.0))
    for class_weight in (None, {0: 2.0, 1: 2.0, 2: 2.0}):
        history = classifier.fit(images, LABELS, class_weight=class_weight, verbose=0)
        losses.append(history.history["loss"][0])
    np.testing.assert_allclose(losses[1], 2 * losses[0], rtol=1e-4)


@pytest.mark.long
def test_further_metrics_take_labels_and_probabilities(simmim, images):
    classifier = classifier_of(simmim)
    top = keras.metrics.SparseTopKCategoricalAccuracy(3, name="top")
    names = ["accuracy", "sparse_categorical_crossentropy", top]
    classifier.compile(keras.optimizers.SGD(0.0), metrics=names)
    measured = classifier.evaluate(images, LABELS, verbose=0, return_dict=True)
    assert measured["top"] == 1
    entropy = measured["sparse_categorical_crossentropy"]
    np.testing.assert_allclose(measured["loss"], entropy, rtol=1e-4)


@pytest.mark.fast_on("torch")
def test_the_automatic_recipe_is_scaled_to_the_run(simmim, images):
    classifier = classifier_of(simmim, recipe="auto", rand_augment=0)
    assert classifier.augmentation.mixup == 0.8
    assert classifier.label_smoothing == 0.1
    assert classifier.backbone.get_config()["drop_path_rate"] == 0.1
    history = classifier.fit(images, LABELS, batch_size=4, epochs=5, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    optimizer = classifier.optimizer
    schedule = optimizer._learning_rate
    assert (schedule.warmup_steps, schedule.total_steps) == (2, 10)
    np.testing.assert_allclose(schedule.base_rate, 1.25e-3 * (4 / 512) ** 0.5)
    assert optimizer.layer_decay == 0.65
    assert optimizer.multiplier(classifier.backbone.stem.kernel) == 0.65**3


@pytest.mark.parametrize(
    "given",
    [
        "auto",
        pytest.param("official", marks=pytest.mark.long),
        pytest.param(None, marks=pytest.mark.long),
    ],
)
def test_it_is_saved_with_everything(simmim, images, tmp_path, given):
    recipe = given
    if given == "official":
        recipe = ks.training.fine_tuning_recipe("simmim_vit_base_800ep_224", 1, 8)
    arguments = {"mixup": 0.5, "erasing": 0, "rand_augment": 0, "seed": 3, "frozen": given is None}
    classifier = classifier_of(simmim, class_names=NAMES, recipe=recipe, **arguments)
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.get_config() == classifier.get_config()
    assert loaded.class_names == NAMES
    np.testing.assert_allclose(
        loaded.predict(images, verbose=0), classifier.predict(images, verbose=0), atol=1e-6
    )


def test_it_comes_from_files_backbones_and_other_sizes(simmim, images, tmp_path):
    simmim.save(tmp_path / "model.keras")
    simmim.save_to_preset(tmp_path / "preset")
    expected = None
    for source in (tmp_path / "model.keras", str(tmp_path / "preset"), simmim, simmim.backbone):
        backbone = ks.ImageClassifier.from_pretrained(source, 3).backbone
        features = ops.convert_to_numpy(backbone(simmim.normalize(images)))
        expected = features if expected is None else expected
        np.testing.assert_allclose(features, expected, atol=1e-5)
    larger = ks.ImageClassifier.from_pretrained(simmim, 3, image_shape=(24, 24, 3))
    assert larger.predict(np.zeros((2, 24, 24, 3)), verbose=0).shape == (2, 3)


@pytest.mark.long
def test_any_backbone_will_do(images):
    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    classifier = ks.ImageClassifier.from_pretrained(backbone, 3, recipe="auto", rand_augment=0)
    classifier.fit(images, LABELS, verbose=0)
    given = ops.convert_to_numpy(backbone(images / 255.0))
    assert np.any(given != ops.convert_to_numpy(classifier.backbone(images / 255.0)))


@pytest.mark.fast_on("torch")
def test_names_come_from_the_data_and_must_agree_and_the_source_is_left_alone(
    simmim, images, containers
):
    before = values(simmim.weights)
    dataset = containers["dataset"](images, LABELS)
    dataset.class_names = NAMES
    others = containers["dataset"](images, LABELS)
    others.class_names = ["ant", "bee", "dog"]
    classifier = classifier_of(simmim)
    classifier.compile(keras.optimizers.Adam(1e-2))
    classifier.fit(dataset, verbose=0)
    assert classifier.class_names == NAMES
    for old, new in zip(before, values(simmim.weights), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(ValueError, match=r"validation_data must have the model's classes.*dog"):
        classifier.fit(dataset, validation_data=others, verbose=0)
    others.class_names = ["ant", "bee"]
    with pytest.raises(ValueError, match="x has 2 classes"):
        classifier.fit(others, verbose=0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(8, int), "at least two classes"),
        (np.array([0, 1, 2, -1, -1, 0, 1, 2]), "no label .-1. for 2 of 8 images"),
        (np.array([0, 1, 2, 3, 5, 0, 1, 2]), r"from 0 to 2 with num_classes=3, got \[3, 5\]"),
        (np.eye(3)[LABELS], "must be integers"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(simmim, images, containers, labels, message):
    classifier = classifier_of(simmim)
    classifier.compile("adam")
    with pytest.raises(ValueError, match=message):
        classifier.fit(images, labels, verbose=0)
    if "two classes" not in message:
        with pytest.raises(ValueError, match=message.split(" for ")[0].split(", got")[0]):
            classifier.fit(containers["dataset"](images, labels), verbose=0)


def test_a_wrong_label_deep_in_a_dataset_shows(simmim, images, containers):
    labels = LABELS.copy()
    labels[6] = 7
    classifier = classifier_of(simmim)
    classifier.compile("adam")
    measured = classifier.evaluate(containers["dataset"](images, labels), verbose=0)
    assert np.isnan(measured[0])


def test_images_without_labels_are_refused(simmim, images, containers):
    classifier = classifier_of(simmim)
    classifier.compile("adam")
    with pytest.raises(ValueError, match="images alone"):
        classifier.fit(containers["dataset"](images), verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "best"}, "recipe must be 'auto', a FineTuningRecipe or None, got 'best'"),
        ({"class_names": ["a"]}, "class_names must be 3 names"),
        ({"pooling": "flatten"}, "pooling must be 'mean' or 'attention', got 'flatten'"),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1, got 1.0"),
        ({"mixup": -1}, "mixup must be"),
    ],
)
def test_arguments_out_of_range_are_refused(simmim, arguments, message):
    with pytest.raises(ValueError, match=message):
        classifier_of(simmim, **arguments)


def test_sources_and_losses_that_do_not_fit_are_refused(simmim):
    with pytest.raises(ValueError, match="source must be a SimMIM"):
        ks.ImageClassifier.from_pretrained(keras.layers.Dense(3), 3)
    with pytest.raises(ValueError, match="ImageClassifier brings its own losses, got loss='mse'"):
        classifier_of(simmim).compile("adam", loss="mse")


@pytest.mark.long
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_half_precision_trains(images, precision):
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    classifier = ks.ImageClassifier(backbone, 3, mixup=0.8, label_smoothing=0.1)
    if precision == "mixed_float16" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float16 attention on CPUs")
    optimizer = keras.optimizers.Adam(1e-3)
    if precision == "mixed_float16":
        # Of Keras' own scale, so few steps would all be skipped while it is being found.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=4.0)
    classifier.compile(optimizer)
    history = classifier.fit(images, LABELS, epochs=2, verbose=0).history
    assert history["skipped_steps"] == [0, 0]
    assert np.isfinite(history["loss"]).all()
    assert classifier.predict(images, verbose=0).dtype == np.float32

"""The whole path: losses, labels, masks and pictures, each against its formula in NumPy."""

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.models.normalization import IMAGENET_MEAN, IMAGENET_STD

GRID, HIDDEN = (2, 3), 4


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


@pytest.fixture(scope="module")
def labelled_model(make_model):
    return make_model(num_classes=3, reconstruction_weight=2.0, classification_weight=0.5)


def normalised(images):
    return ((images - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def measure(model, data, training=True):
    """The losses of a batch and their weights, as numbers."""
    measured = model.compute_losses(data, training=training)
    return {name: tuple(map(float, map(numbers, pair))) for name, pair in measured.losses.items()}


def encode(model, images, step):
    """Encoded masked images, the mask hand-made in NumPy on features or on pixels."""
    pixels = normalised(images)
    if model.mask_on == "pixels":
        mask = numpy_reference.spatial_mask(0, step, len(images), GRID, HIDDEN, 16, 24)
        features = model.backbone.stem(ops.array(np.where(mask == 1, 0, pixels)))
    else:
        mask = numpy_reference.spatial_mask(0, step, len(images), GRID, HIDDEN, 4, 6)
        features = numbers(model.backbone.stem(ops.array(pixels)))
        token = 0 if model.mask_token is None else numbers(model.mask_token)
        features = ops.array(np.where(mask == 1, token, features).astype("float32"))
    return model.backbone.encoder(features)


def reconstruction_losses(model, images, step):
    """The loss of every image, by the paper's formula."""
    prediction = numbers(model.head(encode(model, images, step)))
    mask = numpy_reference.spatial_mask(0, step, len(images), GRID, HIDDEN, 16, 24)
    return numpy_reference.hidden_loss(normalised(images), prediction, mask)


def cross_entropy(probabilities, labels):
    return -np.log(probabilities[np.arange(len(labels)), labels])


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize("step", [0, 5])
def test_the_loss_is_that_of_the_pieces(model, images, step):
    model.step.assign(step)
    measured = measure(model, images)
    expected = reconstruction_losses(model, images, step).mean()
    assert set(measured) == {"loss", "reconstruction_loss", "spatial_loss"}
    assert measured["reconstruction_loss"] == pytest.approx((expected, 8), rel=1e-4)
    assert measured["loss"] == measured["reconstruction_loss"]


@pytest.mark.parametrize(
    "arguments", [{"mask_on": "pixels"}, {"mask_token": False}], ids=["pixels", "zeros"]
)
def test_the_loss_of_other_fillings(make_model, images, arguments):
    model = make_model(**arguments)
    assert model.mask_token is None
    expected = reconstruction_losses(model, images, 0).mean()
    assert measure(model, images)["loss"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_half_precision_normalises_and_measures_in_float32(make_model, images, precision):
    model = make_model()
    assert model.backbone.encoder.blocks[0].mlp_hidden.compute_dtype == precision[6:]
    # Fractions that half precision would round: 200.37 is 200 in bfloat16.
    fractions = images.astype("float32") * 0.99 + 0.37
    expected = reconstruction_losses(model, fractions, 0).mean()
    assert measure(model, fractions)["loss"][0] == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(
        numbers(model.normalize(ops.array(fractions))), normalised(fractions), atol=1e-5
    )
    assert model.embed(images).dtype == "float32"
    np.testing.assert_array_equal(model.embed(images), model.embed(images.astype("float32")))


def test_evaluation_masks_alike_every_time_and_as_no_training_step_does(model, images):
    model.step.assign(3)
    expected = reconstruction_losses(model, images, -1).mean()
    for _ in range(2):
        assert measure(model, images, training=False)["loss"][0] == pytest.approx(
            expected, rel=1e-4
        )
    assert int(ops.convert_to_numpy(model.step)) == 3


def test_labels_are_predicted_from_masked_views_and_unlabelled_images_ignored(
    labelled_model, images, labels
):
    labelled_model.step.assign(2)
    measured = measure(labelled_model, (images, labels))
    probabilities = numbers(labelled_model.classifier(encode(labelled_model, images, 2)))
    known = labels >= 0
    entropy = cross_entropy(probabilities[known], labels[known]).mean()
    accuracy = (probabilities[known].argmax(axis=1) == labels[known]).mean()
    reconstruction = reconstruction_losses(labelled_model, images, 2).mean()
    assert measured["classification_loss"] == pytest.approx((entropy, 6), rel=1e-4)
    assert measured["accuracy"] == pytest.approx((accuracy, 6), rel=1e-6)
    assert measured["reconstruction_loss"] == pytest.approx((reconstruction, 8), rel=1e-4)
    # The fixture's weights of the two losses.
    assert measured["loss"] == pytest.approx((2 * reconstruction + 0.5 * entropy, 8), rel=1e-4)


def test_evaluation_predicts_labels_from_whole_images(labelled_model, images, labels):
    measured = measure(labelled_model, (images, labels), training=False)
    probabilities = numbers(labelled_model(ops.array(images)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    known = labels >= 0
    entropy = cross_entropy(probabilities[known], labels[known]).mean()
    accuracy = (probabilities[known].argmax(axis=1) == labels[known]).mean()
    assert measured["classification_loss"] == pytest.approx((entropy, 6), rel=1e-4)
    assert measured["accuracy"] == pytest.approx((accuracy, 6), rel=1e-6)


def test_without_any_label_only_the_reconstruction_counts(labelled_model, images):
    unlabelled = measure(labelled_model, (images, np.full(8, -1)))
    bare = measure(labelled_model, images)
    assert unlabelled["classification_loss"] == (0, 0)
    assert unlabelled["accuracy"] == (0, 0)
    assert unlabelled["loss"] == pytest.approx(bare["loss"], rel=1e-6)
    assert set(bare) == {"loss", "reconstruction_loss", "spatial_loss"}
    assert np.isfinite(bare["loss"][0])


def test_labels_without_a_classifier_are_ignored(model, images, labels):
    assert measure(model, (images, labels)) == measure(model, images)


def test_labels_of_one_column_are_labels(labelled_model, images, labels):
    column = measure(labelled_model, (images, labels[:, None]))
    assert column == measure(labelled_model, (images, labels))


def test_one_hot_labels_are_refused(labelled_model, images):
    with pytest.raises(
        ValueError, match=r"labels must be integers .* got labels of shape \(8, 3\)"
    ):
        labelled_model.compute_losses((images, np.eye(8, 3)), training=True)


def test_sample_weights_weigh_both_losses(labelled_model, images, labels):
    labelled_model.step.assign(2)
    weight = np.array([1, 0, 3, 1, 0.5, 2, 0, 1], dtype="float32")
    measured = measure(labelled_model, (images, labels, weight))
    losses = reconstruction_losses(labelled_model, images, 2)
    probabilities = numbers(labelled_model.classifier(encode(labelled_model, images, 2)))
    known = labels >= 0
    entropy = cross_entropy(probabilities[known], labels[known])
    reconstruction = (weight * losses).mean()
    classification = np.average(entropy, weights=weight[known])
    assert measured["reconstruction_loss"][0] == pytest.approx(reconstruction, rel=1e-4)
    assert measured["classification_loss"] == pytest.approx((classification, 7.5), rel=1e-4)


def test_floats_are_the_same_images_as_bytes(labelled_model, images, labels):
    as_floats = images.astype("float32")
    assert measure(labelled_model, (as_floats, labels)) == measure(labelled_model, (images, labels))
    np.testing.assert_array_equal(labelled_model.embed(as_floats), labelled_model.embed(images))


@pytest.mark.parametrize(
    ("channels", "mean", "std", "centre", "scale"),
    [
        (3, None, None, IMAGENET_MEAN, IMAGENET_STD),
        (1, None, None, np.mean(IMAGENET_MEAN), np.mean(IMAGENET_STD)),
        (5, None, None, np.mean(IMAGENET_MEAN), np.mean(IMAGENET_STD)),
        (5, 100, 50.0, 100, 50),
        (3, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (1, 2, 3), (4, 5, 6)),
    ],
)
def test_normalisation(channels, mean, std, centre, scale):
    backbone = ks.backbones.ViT((4, 4, channels), 4, 1, 1, 4)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1), mean=mean, std=std)
    images = np.random.default_rng(0).uniform(0, 255, (2, 4, 4, channels)).astype("float32")
    expected = (images - np.array(centre)) / np.array(scale)
    np.testing.assert_allclose(
        numbers(model.normalize(ops.array(images))), expected, rtol=1e-4, atol=1e-4
    )
    assert len(model.get_config()["mean"]) == len(model.get_config()["std"]) == channels


@pytest.mark.parametrize("mask_on", ["features", "pixels"])
def test_the_encoder_does_not_see_what_is_hidden(make_model, images, mask_on):
    model = make_model(mask_on=mask_on)
    mask = numpy_reference.spatial_mask(0, 6, 8, GRID, HIDDEN, 16, 24) == 1
    noise = np.random.default_rng(5).normal(size=images.shape) * 3
    found = model.masked_pass(ops.array(normalised(images)), 6, training=False)
    before, hidden = found.encoded, found.hidden
    assert tuple(before.shape) == (8, 1, 4, 6, 16)
    np.testing.assert_array_equal(numbers(hidden).reshape(8, *GRID).sum(axis=(1, 2)), HIDDEN)
    for changed, same in ((mask, True), (~mask, False)):
        pixels = np.where(changed, noise, normalised(images)).astype("float32")
        found = model.masked_pass(ops.array(pixels), 6, training=False)
        after = found.encoded
        assert np.allclose(numbers(after), numbers(before), atol=1e-5) == same


def test_predict_is_probabilities_with_a_classifier_and_embeddings_without(
    model, labelled_model, images
):
    features = numbers(model.backbone(ops.array(normalised(images))))
    np.testing.assert_allclose(
        model.predict(images, verbose=0), features.mean(axis=(1, 2)), rtol=1e-3, atol=1e-4
    )
    features = labelled_model.backbone(ops.array(normalised(images)))
    np.testing.assert_allclose(
        labelled_model.predict(images, verbose=0),
        numbers(labelled_model.classifier(features)),
        rtol=1e-3,
        atol=1e-5,
    )


def test_embeddings_are_the_mean_features_whatever_the_container(model, images, labels, containers):
    features = numbers(model.backbone(ops.array(normalised(images))))
    expected = features.mean(axis=(1, 2))
    inputs = {
        "array": images,
        "dataset": containers["dataset"](images),
        "labelled dataset": containers["dataset"](images, labels),
        "labelled PyDataset": containers["py_dataset"](images, labels),
    }
    for name, container in inputs.items():
        embeddings = model.embed(container)
        assert embeddings.dtype == "float32"
        np.testing.assert_allclose(embeddings, expected, rtol=1e-3, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(model.embed(images, batch_size=4), expected, rtol=1e-3, atol=1e-4)


def test_reconstruct_shows_the_pixels_and_what_was_hidden(model, images):
    pictures = model.reconstruct(images, step=4)
    mask = numpy_reference.spatial_mask(0, 4, 8, GRID, HIDDEN, 16, 24) == 1
    assert {name: picture.dtype.name for name, picture in pictures.items()} == {
        "original": "uint8",
        "masked": "uint8",
        "reconstruction": "uint8",
        "mask": "bool",
    }
    np.testing.assert_array_equal(pictures["mask"], mask[..., 0])
    assert pictures["mask"].mean() == pytest.approx(HIDDEN / 6)
    np.testing.assert_array_equal(pictures["original"], images)
    mean_colour = np.rint(IMAGENET_MEAN).astype("uint8")
    np.testing.assert_array_equal(pictures["masked"], np.where(mask, mean_colour, images))
    prediction = numbers(model.head(encode(model, images, 4)))
    painted = np.clip(prediction * np.array(IMAGENET_STD) + np.array(IMAGENET_MEAN), 0, 255)
    expected = np.where(mask, painted, images)
    # Half a unit of rounding, and what the order of sums changes.
    np.testing.assert_allclose(pictures["reconstruction"], expected, atol=0.51)
    visible = np.broadcast_to(~mask, images.shape)
    np.testing.assert_array_equal(pictures["reconstruction"][visible], images[visible])


def test_reconstruct_masks_differ_by_step(model, images):
    masks = [model.reconstruct(images, step=step)["mask"] for step in (0, 0, 1)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


@pytest.fixture(scope="module")
def article():
    """The article's case: a convolution, features ⊙ mask, mean of channels, softmax(FC)."""
    return ks.SimMIM(
        ks.backbones.ConvNet((6, 8, 3), filters=(5,)),
        ks.masking.SpatialMasking(0.5, block_size=2, seed=3),
        aggregator=ks.aggregation.ChannelMean(),
        classifier=ks.heads.ClassificationHead(4, pooling="flatten"),
        mask_token=False,
        reconstruction_weight=0,
    )


def article_probabilities(model, images, mask):
    """C(H(G(F(X)))) in NumPy."""
    kernel, bias, weights, offsets = map(numbers, model.trainable_weights)
    features = np.maximum(numpy_reference.convolution(normalised(images), kernel, bias), 0)
    aggregated = (features * (1 - mask)).mean(axis=-1)
    return numpy_reference.softmax(aggregated.reshape(len(images), -1) @ weights + offsets)


def test_the_articles_case_with_and_without_masks(article, images):
    pixels, labels = images[:4, :6, :8], np.array([0, 3, 2, 1])
    generator = np.random.default_rng(0)
    for weight in article.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.3)
    assert len(article.trainable_weights) == 4
    unmasked = article_probabilities(article, pixels, 0)
    np.testing.assert_allclose(article.predict(pixels, verbose=0), unmasked, rtol=1e-3, atol=1e-5)

    mask = numpy_reference.spatial_mask(3, 0, 4, (3, 4), 6, 6, 8)
    masked = article_probabilities(article, pixels, mask)
    assert np.abs(masked - unmasked).max() > 0.01
    article.compile(keras.optimizers.SGD(0.0))
    logs = article.fit(pixels, labels, shuffle=False, verbose=0).history
    counts = {"gradient_norm", "skipped_steps"}
    assert set(logs) == counts | {"loss", "classification_loss", "accuracy"}
    expected = cross_entropy(masked, labels).mean()
    assert logs["loss"] == pytest.approx([expected], rel=1e-4)
    assert logs["classification_loss"] == pytest.approx([expected], rel=1e-4)
    assert logs["accuracy"] == [(masked.argmax(axis=1) == labels).mean()]


def test_labels_alone_need_labels(article, images):
    with pytest.raises(ValueError, match="reconstruction_weight is 0, so fit and evaluate need"):
        article.compute_losses(images[:4, :6, :8], training=True)
    with pytest.raises(ValueError, match=r"reconstruct needs .* reconstruction_weight above 0"):
        article.reconstruct(images[:4, :6, :8])


CONVOLUTION = {"backbone": lambda: ks.backbones.ConvNet((8, 8, 3), (2,))}
TRANSFORMER = {"backbone": lambda: ks.backbones.ViT((8, 8, 3), 4, 1, 1, 4)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask_on": "stem"}, "mask_on must be 'features' or 'pixels', got 'stem'"),
        ({"reconstruction_weight": -1.0}, "reconstruction_weight must be at least 0, got -1.0"),
        ({"classification_weight": -2}, "classification_weight must be at least 0, got -2"),
        ({"reconstruction_weight": 0}, "nothing to learn: reconstruction_weight is 0"),
        ({"mean": (1.0, 2.0)}, r"mean must be one number or one for each of 3 .* \(1.0, 2.0\)"),
        ({"std": (1.0, 2.0, 0.0)}, r"std must be one positive number .* got \(1.0, 2.0, 0.0\)"),
        (CONVOLUTION, "ConvNet's encoder is the identity.*mask_on='pixels'"),
        ({"block_size": 3}, r"block_size=\(3, 3\) does not divide the 2 by 2 map"),
    ],
)
def test_arguments_that_cannot_learn_are_named(arguments, message):
    arguments = {**TRANSFORMER, **arguments}
    masking = ks.masking.SpatialMasking(0.5, arguments.pop("block_size", 1))
    with pytest.raises(ValueError, match=message):
        ks.SimMIM(arguments.pop("backbone")(), masking, **arguments)


def test_no_weight_of_labels_and_no_reconstruction_is_nothing_to_learn():
    with pytest.raises(ValueError, match="nothing to learn"):
        ks.SimMIM(
            TRANSFORMER["backbone"](),
            ks.masking.SpatialMasking(0.5, 1),
            classifier=ks.heads.ClassificationHead(2),
            reconstruction_weight=0,
            classification_weight=0,
        )


def test_a_head_for_another_size_is_named():
    head = ks.heads.ReconstructionHead((9, 8, 3))
    with pytest.raises(ValueError, match=r"divide image_shape=\(9, 8, 3\)"):
        ks.SimMIM(TRANSFORMER["backbone"](), ks.masking.SpatialMasking(0.5, 1), head=head)


@pytest.mark.parametrize(
    "arguments", [{"loss": "mse"}, {"metrics": ["accuracy"]}, {"loss_weights": [1.0]}]
)
def test_compile_refuses_losses_and_metrics(model, arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match="SimMIM brings its own losses") as error:
        model.compile("sgd", **arguments)
    assert f"{name}={value!r}" in str(error.value)

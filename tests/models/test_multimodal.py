"""Several modalities and rounds through the whole model."""

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.models.normalization import IMAGENET_MEAN, IMAGENET_STD

pytestmark = pytest.mark.fast_on("torch")

NAMES = ("spatial", "color", "texture")


def numbers(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def masking(block_size, **arguments):
    parts = [ks.masking.SpatialMasking(), ks.masking.ColorMasking(), ks.masking.TextureMasking()]
    return ks.masking.IterativeMasking(
        parts, **{"iterations": 2, "ratio": (0.5, 0.9), "block_size": block_size, **arguments}
    )


def make(mask_on="features", num_classes=None, **arguments):
    """A SimMIM of 4×6 patches in 2×3 blocks, three modalities, two rounds and no weight at 0."""
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    classifier = None if num_classes is None else ks.heads.ClassificationHead(num_classes)
    generator = masking(2 if mask_on == "features" else 8)
    model = ks.SimMIM(backbone, generator, classifier=classifier, mask_on=mask_on, **arguments)
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(random.normal(size=weight.shape) * 0.3)
    return model


def normalised(images):
    return ((images - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)).astype("float32")


def coefficient_losses(target, prediction, hidden):
    """Σ|m⊙T(x̂−x)| / Σm of every image and modality, in NumPy: hidden (B, V, h, w, 3)."""
    selections = (lambda s: s >= 0, lambda s: s == 1, lambda s: s <= 0.25 * 14)
    losses = {}
    for index, (name, select) in enumerate(zip(NAMES, selections, strict=True)):
        matrix, sorts = numpy_reference.modality_matrix(name, 8, 8, 3)
        total, count = 0, 0
        for view in range(hidden.shape[1]):
            error = numpy_reference.to_blocks(prediction[:, view] - target, (2, 3)) @ matrix.T
            mask = hidden[:, view, ..., index].reshape(len(target), -1, 1) * select(sorts)
            total = total + np.abs(error * mask).sum(axis=(1, 2))
            count = count + mask.sum(axis=(1, 2))
        losses[name] = total / count
    return losses


@pytest.mark.parametrize("mask_on", ["features", "pixels"])
def test_each_modality_is_measured_on_pixels_and_divided_by_its_running_scale(mask_on, images):
    model = make(mask_on)
    assert (model.mask_token is not None) == (mask_on == "features")
    pixels = ops.array(normalised(images))
    expected_scale, weight = 0, 0
    for step in range(2):
        model.step.assign(step)
        found = model.masked_pass(pixels, step, training=True)
        encoded, hidden, whole = found.encoded, found.hidden, found.masked
        assert tuple(encoded.shape) == (8, 2, 4, 6, 16)
        assert tuple(whole.shape) == ((8, 4, 6, 16) if mask_on == "features" else (8, 16, 24, 3))
        prediction = numbers(found.prediction)
        losses = coefficient_losses(normalised(images), prediction, numbers(hidden))
        sizes = coefficient_losses(normalised(images), 0 * prediction, numbers(hidden))
        expected_scale = 0.99 * expected_scale + 0.01 * np.array([s.mean() for s in sizes.values()])
        weight = 0.99 * weight + 0.01
        measured = model.compute_losses(images, training=True)
        total = 0
        for name, scale in zip(NAMES, expected_scale / weight, strict=True):
            value = float(numbers(measured.losses[f"{name}_loss"][0]))
            assert value == pytest.approx(losses[name].mean() / scale, rel=1e-3), name
            total += value
        assert float(numbers(measured.losses["reconstruction_loss"][0])) == pytest.approx(
            total, rel=1e-5
        )
        assert float(numbers(measured.losses["loss"][0])) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("mask_on", ["features", "pixels"])
def test_the_encoder_sees_what_is_left_and_no_more(mask_on, images):
    """Chroma, low band or all of a block may change unseen; the rest may not."""
    model = make(mask_on)
    pixels = normalised(images)
    generator, grid = model.mask_generator, (2, 3)
    stem = model.backbone.stem
    whole = pixels if mask_on == "pixels" else numbers(stem(ops.array(pixels)))
    hidden = generator.draw(ops.array(whole), 6)
    noise = np.random.default_rng(0).normal(size=(8, 1, *whole.shape[1:])).astype("float32")
    # The first round's view of a tensor whose hidden parts are noise is its view of the tensor.
    disturbed = numbers(generator.fill(ops.array(whole), hidden, ops.array(noise)))[:, 0]
    assert np.abs(disturbed - whole).max() > 1
    one, other = (numbers(generator(ops.array(x), step=6)[0])[:, 0] for x in (whole, disturbed))
    np.testing.assert_allclose(one, other, atol=1e-5)
    # The visible part of every block is still there: no block lost more than its modality.
    blocks = numpy_reference.to_blocks(one, grid)
    original = numpy_reference.to_blocks(whole, grid)
    lost = numbers(hidden)[:, 0].reshape(8, 6, 3)
    untouched = lost.sum(axis=-1) == 0
    np.testing.assert_allclose(blocks[untouched], original[untouched], atol=1e-5)
    # Chroma went: luma, the mean over channels, stayed.
    channels = whole.shape[-1]
    colored = lost[..., 1] == 1
    luma, expected = (x[colored].reshape(-1, channels).mean(-1) for x in (blocks, original))
    np.testing.assert_allclose(luma, expected, atol=1e-5)


@pytest.fixture(scope="module")
def semi_supervised(images, labels):
    """A model trained on images of which some have a label, and its logs."""
    model = make("pixels", num_classes=3, embedding_metrics=True)
    model.compile(keras.optimizers.Adam(3e-3))
    fit = {"batch_size": 8, "shuffle": False, "verbose": 0}
    history = model.fit(images, labels, epochs=12, validation_data=(images, labels), **fit).history
    return model, history, fit


def test_partly_labelled_images_teach_both(semi_supervised):
    _, history, _ = semi_supervised
    logged = {
        "loss",
        "reconstruction_loss",
        *(f"{name}_loss" for name in NAMES),
        "classification_loss",
        "accuracy",
        "embedding_std",
        "embedding_rank",
    }
    assert set(history) == logged | {"gradient_norm", "skipped_steps"} | {
        f"val_{name}" for name in logged
    }
    for name in ("reconstruction_loss", "classification_loss", "loss"):
        assert np.isfinite(history[name]).all()
        assert history[name][-1] < history[name][0], name
    for prefix in ("", "val_"):
        assert (np.array(history[f"{prefix}embedding_std"]) > 0).all()
        assert min(history[f"{prefix}embedding_rank"]) >= 1
        assert max(history[f"{prefix}embedding_rank"]) <= 7


def test_the_embedding_metrics_are_those_of_the_masked_views(images):
    model = make("pixels", embedding_metrics=True)
    measured = model.compute_losses(images, training=False)
    found = model.masked_pass(ops.array(normalised(images)), -1, training=False)
    encoded = found.encoded
    embeddings = numbers(encoded).mean(axis=(1, 2, 3))
    assert float(numbers(measured.losses["embedding_std"][0])) == pytest.approx(
        embeddings.std(axis=0).mean(), rel=1e-3
    )


def test_it_comes_back_from_a_file_with_its_scales(semi_supervised, images, labels, tmp_path):
    model, _, fit = semi_supervised
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    scales = numbers(copy.target_scale.mean)
    assert scales.shape == (3,)
    assert (scales > 0).all()
    np.testing.assert_array_equal(scales, numbers(model.target_scale.mean))
    one, other = (m.fit(images, labels, **fit).history for m in (model, copy))
    assert set(one) == set(other)
    for name, values in one.items():
        assert values == pytest.approx(other[name], rel=1e-4), name


def test_pictures_of_every_round(semi_supervised, images):
    model, _, _ = semi_supervised
    pictures = model.reconstruct(images[:2], step=3)
    assert pictures["original"].shape == (2, 16, 24, 3)
    for name in ("masked", "reconstruction"):
        assert pictures[name].shape == (2, 2, 16, 24, 3)
    touched = numbers(model.mask_generator.draw(ops.zeros((2, 1)), 3)).max(axis=-1)
    mask = touched.repeat(8, axis=2).repeat(8, axis=3) == 1
    np.testing.assert_array_equal(pictures["mask"], mask)
    # What no round hid is the original, within half a unit of rounding.
    for view in range(2):
        for name in ("masked", "reconstruction"):
            same = np.where(mask[:, view, ..., None], pictures["original"], pictures[name][:, view])
            np.testing.assert_allclose(same, pictures["original"], atol=1)
    sheet = ks.evaluation.reconstruction_sheet(model, images[:2], step=3)
    assert sheet.shape == (5 * 20 - 4, 76 + 2 * 28 - 4, 3)


@pytest.mark.parametrize(
    "aggregator_class",
    [
        ks.aggregation.AttentionAggregation,
        pytest.param(ks.aggregation.ConcatAggregation, marks=pytest.mark.long),
    ],
)
def test_learned_aggregators_learn(aggregator_class, images, labels):
    model = make("pixels", num_classes=3, aggregator=aggregator_class())
    model.compile(keras.optimizers.SGD(0.1))
    before = [numbers(weight).copy() for weight in model.aggregator.weights]
    model.fit(images, labels, batch_size=8, verbose=0)
    for weight, old in zip(model.aggregator.weights, before, strict=True):
        assert np.abs(numbers(weight) - old).max() > 0


GENERATORS = {
    "spatial": ks.masking.SpatialMasking,
    "color": ks.masking.ColorMasking,
    "texture": ks.masking.TextureMasking,
    "learned": ks.masking.LearnedMasking,
    "iterative": lambda block_size: masking(block_size, iterations=3),
}


@pytest.mark.parametrize("mask_on", ["features", "pixels"])
@pytest.mark.parametrize("name", GENERATORS)
def test_any_generator_masks_either_place(name, mask_on, images):
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    generator = GENERATORS[name](block_size=2 if mask_on == "features" else 8)
    model = ks.SimMIM(backbone, generator, mask_on=mask_on)
    measured = {
        key: float(numbers(value))
        for key, (value, _) in model.compute_losses(images, True).losses.items()
    }
    parts = sum(measured[f"{part}_loss"] for part in generator.names)
    assert measured["reconstruction_loss"] == pytest.approx(parts, rel=1e-5)
    assert measured["loss"] == pytest.approx(parts + measured.get("ranking_loss", 0), rel=1e-5)
    assert np.isfinite(measured["loss"])
    assert measured["loss"] > 0
    hides_positions = mask_on == "features" and name not in ("color", "texture")
    assert (model.mask_token is not None) == hides_positions


def test_grey_images_have_no_color_to_predict_from_masked_features():
    backbone = ks.backbones.ViT((16, 24, 1), 4, 1, 2, 16)
    with pytest.raises(ValueError, match="ColorMasking needs at least 2 channels, got 1"):
        ks.SimMIM(backbone, masking(2))


@pytest.mark.long
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_half_precision_trains(precision, images):
    model = make("features")
    model.compile(keras.optimizers.Adam(1e-3))
    logs = model.fit(images, batch_size=8, epochs=2, verbose=0).history
    assert np.isfinite(logs["loss"]).all()

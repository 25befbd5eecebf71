"""Encoding the visible positions alone: nothing hidden is read, and the head puts all in place."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

import keras_simmim as ks
from keras_simmim.masking.visible import places_of, visible_first


def make_visible(class_token=False, **arguments):
    backbone = ks.backbones.ViT(
        (16, 24, 3), 4, num_layers=2, num_heads=2, hidden_dim=16, class_token=class_token
    )
    options = {"encode": "visible", "head": ks.heads.TransformerHead(num_layers=1), **arguments}
    generator = options.pop("mask_generator", ks.masking.SpatialMasking(0.6, 2))
    model = ks.SimMIM(backbone, generator, **options)
    generator = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.3)
    return model


@pytest.fixture(scope="module", params=[False, True], ids=["patches", "class token"])
def model(request):
    return make_visible(request.param)


def as_array(tensor):
    if isinstance(tensor, np.ndarray):
        return tensor
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


@pytest.mark.fast_on("torch")
@given(seed=st.integers(0, 1000), rows=st.integers(1, 3), columns=st.integers(1, 3))
def test_places_are_a_permutation_with_the_visible_first(seed, rows, columns):
    hidden = np.random.default_rng(seed).integers(0, 2, (2, 1, 2, 3, 1)).astype("float32")
    places = as_array(places_of(ops.convert_to_tensor(hidden), 2 * rows, 3 * columns))
    order = as_array(visible_first(ops.convert_to_tensor(places)))
    mask = hidden[:, 0, :, :, 0].repeat(rows, 1).repeat(columns, 2).reshape(2, -1)
    for image in range(2):
        visible, rest = np.flatnonzero(mask[image] == 0), np.flatnonzero(mask[image])
        np.testing.assert_array_equal(order[image], np.concatenate([visible, rest]))
        np.testing.assert_array_equal(places[image][order[image]], np.arange(mask.shape[1]))


@pytest.mark.fast_on("torch")
def test_each_image_is_encoded_as_its_visible_tokens_alone(model, images):
    pixels = model.normalize(images)
    found = model.masked_pass(pixels, step=0, training=False)
    encoded, hidden, whole = found.encoded, found.hidden, found.masked
    assert encoded.shape == (8, 1, 8, 1, 16)  # 2 of 6 blocks of 2×2 positions
    mask = as_array(hidden)[:, 0, :, :, 0].repeat(2, 1).repeat(2, 2).reshape(8, -1)
    encoder = model.backbone.encoder
    tokens = as_array(whole).reshape(8, 24, 16)
    extra = int(encoder.has_class_token)
    positions = as_array(encoder.position_embedding)
    for image in range(8):
        visible = np.flatnonzero(mask[image] == 0)
        chosen = tokens[image, visible] + positions[visible + extra]
        if extra:
            chosen = np.concatenate([as_array(encoder.class_token)[None] + positions[:1], chosen])
        result = ops.convert_to_tensor(chosen[None].astype("float32"))
        for block in encoder.blocks:
            result = block(result)
        expected = as_array(encoder.norm(result))[0, extra:]
        np.testing.assert_allclose(as_array(encoded)[image, 0, :, 0], expected, atol=2e-4)


def test_what_is_hidden_changes_nothing(model, images):
    pixels = as_array(model.normalize(images))
    found = model.masked_pass(pixels, step=0, training=False)
    encoded, hidden = found.encoded, found.hidden
    mask = as_array(hidden)[:, 0].repeat(8, 1).repeat(8, 2)
    noise = np.random.default_rng(5).normal(size=pixels.shape).astype("float32") * 10
    found = model.masked_pass(pixels + mask * noise, step=0, training=False)
    changed = found.encoded
    np.testing.assert_array_equal(as_array(encoded), as_array(changed))
    found = model.masked_pass(pixels + (1 - mask) * noise, step=0, training=False)
    changed = found.encoded
    assert np.any(as_array(encoded) != as_array(changed))


@pytest.mark.fast_on("torch")
def test_the_head_puts_tokens_where_they_came_from():
    head = ks.heads.TransformerHead(hidden_dim=4, num_layers=1, num_heads=1, image_shape=(2, 4, 1))
    head.build((None, 2, 4, 6))
    generator = np.random.default_rng(0)
    for weight in head.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.5)
    features = generator.normal(size=(2, 2, 4, 6)).astype("float32")
    hidden = np.array([[[0, 1, 1, 0], [1, 1, 0, 1]], [[1, 0, 1, 1], [0, 1, 0, 1]]], "float32")
    places = places_of(ops.convert_to_tensor(hidden[:, None, :, :, None]), 2, 4)
    visible = as_array(visible_first(places))[:, :3]
    chosen = np.stack([features[image].reshape(8, 6)[visible[image]] for image in range(2)])
    given = as_array(head(chosen[:, :, None], places=places))
    # The same by hand: projected tokens in their places, the mask token elsewhere.
    kernel, bias = (as_array(weight) for weight in head.projection.weights)
    tokens = np.where(hidden[..., None] > 0, as_array(head.mask_token), features @ kernel + bias)
    tokens = tokens.reshape(2, 8, 4) + as_array(head.position_embedding)
    tokens = head.norm(head.blocks[0](ops.convert_to_tensor(tokens.astype("float32"))))
    expected = as_array(head.pixels(ops.reshape(tokens, (2, 2, 4, 4))))
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_the_loss_is_the_papers(model, images):
    data = np.asarray(images)
    measured = model.compute_losses(data, training=False)
    pixels = model.normalize(data)
    found = model.masked_pass(pixels, -1, training=False)
    hidden = found.hidden
    prediction = as_array(found.prediction)[:, 0]
    mask = as_array(hidden)[:, 0].repeat(8, 1).repeat(8, 2)
    error = np.abs(prediction - as_array(pixels)) * mask
    expected = (error.sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)) + 1e-5)).mean()
    np.testing.assert_allclose(as_array(measured.losses["loss"][0]), expected, rtol=1e-4)


@pytest.mark.long
def test_it_learns_and_every_weight_moves():
    rows, columns = np.mgrid[:16, :24]
    shifts = np.random.default_rng(0).uniform(0, 6, (32, 1, 1))
    waves = 127 + 120 * np.sin(rows / 3 + columns / 4 + shifts)
    waves = np.repeat(waves[..., None], 3, axis=3)
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 2), encode="visible")
    model.compile(keras.optimizers.Adam(3e-3))
    before = [as_array(weight) for weight in model.trainable_weights]
    losses = model.fit(waves, batch_size=8, epochs=60, verbose=0).history["loss"]
    assert losses[-1] < 0.85 * losses[0]
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.any(as_array(weight) != old), weight.path
    assert model.mask_token is None


@pytest.mark.fast_on("torch")
def test_labels_teach_by_the_visible_positions(images, labels):
    model = make_visible(classifier=ks.heads.ClassificationHead(3), embedding_metrics=True)
    model.compile(keras.optimizers.Adam(1e-3))
    logs = model.fit(images, labels, verbose=0).history
    assert np.isfinite([*logs["loss"], *logs["classification_loss"], *logs["embedding_rank"]]).all()
    assert model.predict(images, verbose=0).shape == (8, 3)


def test_it_is_saved_and_shows_its_reconstructions(model, images, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.encode == "visible"
    assert loaded.head.num_layers == 1
    np.testing.assert_allclose(loaded.embed(images), model.embed(images), atol=1e-6)
    first, second = model.reconstruct(images), loaded.reconstruct(images)
    np.testing.assert_array_equal(first["mask"], second["mask"])
    difference = first["reconstruction"].astype(int) - second["reconstruction"]
    assert np.abs(difference).max() <= 1


@pytest.mark.long
def test_learned_masks_may_choose_what_is_visible(images):
    model = make_visible(mask_generator=ks.masking.LearnedMasking(0.6, 2))
    model.compile(keras.optimizers.Adam(1e-3))
    logs = model.fit(images, verbose=0).history
    assert np.isfinite([*logs["loss"], *logs["ranking_loss"]]).all()


@pytest.mark.long
@pytest.mark.parametrize("precision", ["mixed_bfloat16"], indirect=True)
def test_half_precision_trains(images, precision):
    model = make_visible()
    model.compile(keras.optimizers.Adam(1e-3))
    assert np.isfinite(model.fit(images, verbose=0).history["loss"]).all()


def vit(**arguments):
    return ks.backbones.ViT((16, 24, 3), 4, 1, 2, 16, **arguments)


@pytest.mark.parametrize(
    ("backbone", "generator", "arguments", "message"),
    [
        (
            lambda: ks.backbones.Swin((16, 24, 3), 2, 8, (1,), (2,), 4),
            ks.masking.SpatialMasking(0.6, 2),
            {},
            "needs a ViT.*got backbone=Swin",
        ),
        (
            lambda: vit(position_embedding=False, relative_position_bias="shared"),
            ks.masking.SpatialMasking(0.6, 2),
            {},
            "position_embedding=False and relative_position_bias='shared'",
        ),
        (
            vit,
            ks.masking.ColorMasking(ratio=0.6, block_size=2),
            {},
            "got mask_generator=ColorMasking",
        ),
        (
            vit,
            ks.masking.TextureMasking(ratio=0.6, block_size=2),
            {},
            "got mask_generator=TextureMasking",
        ),
        (
            vit,
            ks.masking.IterativeMasking([ks.masking.SpatialMasking()], block_size=2),
            {},
            "got mask_generator=IterativeMasking",
        ),
        (
            vit,
            ks.masking.LearnedMasking(0.6, 2, adversarial=True),
            {},
            "LearnedMasking with adversarial=True",
        ),
        (vit, ks.masking.SpatialMasking(0.6, 8), {"mask_on": "pixels"}, "mask_on='features'"),
        (
            vit,
            ks.masking.SpatialMasking(0.6, 2),
            {"head": ks.heads.ReconstructionHead()},
            "needs a TransformerHead.*got head=ReconstructionHead",
        ),
        (
            vit,
            ks.masking.SpatialMasking(0.6, 2),
            {"classifier": ks.heads.ClassificationHead(3, "flatten")},
            "'mean' or 'attention', got 'flatten'",
        ),
        (vit, ks.masking.SpatialMasking(0.6, 2), {"encode": "some"}, "'visible', got 'some'"),
    ],
)
def test_what_cannot_be_left_out_is_refused(backbone, generator, arguments, message):
    with pytest.raises(ValueError, match=message):
        ks.SimMIM(backbone(), generator, **{"encode": "visible", **arguments})


def test_the_head_refuses_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="num_layers must be a positive integer, got 0"):
        ks.heads.TransformerHead(num_layers=0)
    with pytest.raises(ValueError, match="num_heads=3 must divide hidden_dim=8"):
        ks.heads.TransformerHead(8, num_heads=3, image_shape=(8, 8, 1)).build((None, 2, 2, 16))

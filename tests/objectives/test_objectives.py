"""Objectives against NumPy, alone and together, as a user trains with them."""

import itertools

import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.objectives import MaskedPass
from keras_simmim.objectives.contrast import infonce
from keras_simmim.objectives.isotropy import isotropy_loss, random_directions
from keras_simmim.objectives.targets import low_pass, patch_statistics
from keras_simmim.objectives.uniformity import uniformity
from keras_simmim.objectives.visible_means import visible_means

# Models that are not traced are hundreds of compilations on JAX.
models = pytest.mark.fast_on("torch")

o = ks.objectives
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (8, 8, 12, 3), dtype="uint8")
CROPS = np.stack([IMAGES, IMAGES[:, :, ::-1]], axis=1)


def numbers(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def normal(*shape):
    return GENERATOR.normal(size=shape).astype("float32")


def make(objectives, views=1, **options):
    backbone = ks.backbones.ViT((8, 12, 3), 4, num_layers=1, num_heads=2, hidden_dim=8)
    masking = ks.masking.SpatialMasking(0.5, 1, views=views)
    return ks.SimMIM(backbone, masking, objectives=objectives, **options)


# ------------------------------------------------------------------------------------- targets


def test_patches_are_normalized_as_in_mae():
    pixels = normal(2, 8, 12, 3)
    mean, deviation = map(numbers, patch_statistics(pixels, (2, 3)))
    for row, column in itertools.product(range(2), range(3)):
        part = np.s_[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        patches = pixels[part].reshape(2, -1)
        expected = patches.mean(1), np.sqrt(patches.var(1, ddof=1) + 1e-6)
        for found, value in zip((mean, deviation), expected, strict=True):
            wide = np.broadcast_to(value[:, None, None, None], found[part].shape)
            np.testing.assert_allclose(found[part], wide, atol=1e-5)


def test_a_flat_patch_has_a_finite_target():
    _, deviation = patch_statistics(np.zeros((1, 4, 4, 1), "float32"), (1, 1))
    np.testing.assert_allclose(numbers(deviation), 1e-3, rtol=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (24, 15)])
def test_the_low_pass_leaves_a_disc_of_frequencies(shape):
    pixels = normal(2, *shape, 3)
    spectrum = np.fft.fft2(pixels, axes=(1, 2))
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])
    kept = rows**2 + columns**2 < (40 / 224) ** 2
    expected = np.real(np.fft.ifft2(spectrum * kept[None, :, :, None], axes=(1, 2)))
    np.testing.assert_allclose(numbers(low_pass(pixels)), expected, atol=1e-5)


@models
def test_the_loss_of_normalized_pixels_is_that_of_mae():
    model = make([o.Reconstruction("normalized_pixels")])
    found = model.masked_pass(model.normalize(IMAGES), 3, training=True)
    loss = model.objectives[0].measure(found, training=True)["reconstruction_loss"].values
    pixels, prediction = numbers(found.pixels), numbers(found.prediction)[:, 0]
    hidden = numbers(found.hidden)[:, 0, :, :, 0]

    def patches(images):
        cut = images.reshape(8, 2, 4, 3, 4, 3).transpose(0, 1, 3, 2, 4, 5)
        return cut.reshape(8, 2, 3, 48)

    target = patches(pixels)
    target = (target - target.mean(-1, keepdims=True)) / np.sqrt(
        target.var(-1, keepdims=True, ddof=1) + 1e-6
    )
    errors = ((patches(prediction) - target) ** 2).mean(-1)
    expected = (errors * hidden).sum((1, 2)) / hidden.sum((1, 2))
    np.testing.assert_allclose(numbers(loss), expected, rtol=1e-4)
    # Brought back to pixels, a perfect prediction is the image.
    perfect = found._replace(prediction=ops.array(_normalized(pixels)[:, None]))
    np.testing.assert_allclose(numbers(model.predicted_pixels(perfect))[:, 0], pixels, atol=1e-4)


def _normalized(pixels):
    mean, deviation = map(numbers, patch_statistics(pixels, (2, 3)))
    return (pixels - mean) / deviation


# ---------------------------------------------------------------------- statistics of a batch


def test_uniformity_is_the_mean_over_pairs_of_different_images():
    features, counted = normal(5, 2, 4), np.array([1, 1, 0, 1, 1], "float32")
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    pairs = [
        (unit[i, view] @ unit[j, view]) ** 2
        for view in range(2)
        for i, j in itertools.permutations([0, 1, 3, 4], 2)
    ]
    found = uniformity(ops.array(features), ops.array(counted))
    assert float(found) == pytest.approx(np.mean(pairs), rel=1e-5)
    assert float(uniformity(ops.array(features[:1]), ops.ones(1))) == 0


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize("groups", [(0, 0), (0, 0, 0), (0, 0, 1, 1)])
def test_infonce_recognizes_partners_among_other_images(groups):
    views = len(groups)
    projections, counted = normal(4, views, 3), np.array([1, 1, 0, 1], "float32")
    unit = projections / np.linalg.norm(projections, axis=-1, keepdims=True)
    rows = [(i, v) for i in (0, 1, 3) for v in range(views)]
    losses = []
    for i, v in rows:
        partners = [(i, w) for w in range(views) if w != v and groups[w] == groups[v]]
        others = partners + [(j, w) for j, w in rows if j != i]
        total = sum(np.exp(unit[i, v] @ unit[j, w] / 0.2) for j, w in others)
        losses += [np.log(total) - unit[i, v] @ unit[i, w] / 0.2 for _, w in partners]
    found = infonce(ops.array(projections), groups, 0.2, ops.array(counted))
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(infonce(ops.array(projections[:1]), groups, 0.2, ops.zeros(1))) == 0


def test_isotropy_is_the_sum_over_points_of_squared_differences():
    projections, counted = normal(6, 2, 3), np.array([1, 1, 1, 0, 1, 1], "float32")
    directions = numbers(random_directions(7, 5, 4, 3))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-5)
    points = np.linspace(0, 3, 17)
    expected = []
    for view, a in itertools.product(range(2), directions):
        z = projections[counted > 0, view] @ a
        total = 0.0
        for k, t in enumerate(points):
            w = 2 * points[1] * np.exp(-(t**2) / 2) / (2 if k in (0, 16) else 1)
            real = np.cos(t * z).mean() - np.exp(-(t**2) / 2)
            total += w * (real**2 + np.sin(t * z).mean() ** 2)
        expected.append(5 * total)
    found = isotropy_loss(ops.array(projections), ops.array(directions), ops.array(counted))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-4)


def test_directions_are_of_the_sphere_and_the_same_everywhere():
    directions = numbers(random_directions(0, 5, 2000, 3))
    np.testing.assert_allclose(directions.mean(0), 0, atol=0.04)
    np.testing.assert_allclose(directions.T @ directions / 2000, np.eye(3) / 3, atol=0.02)
    # Golden numbers, on every backend.
    np.testing.assert_allclose(directions[0], [0.744016, -0.503924, 0.438748], atol=1e-5)
    assert not np.allclose(directions, numbers(random_directions(0, 6, 2000, 3)))


@models
def test_lejepa_weighs_spread_against_isotropy():
    model = make([o.Agreement(balance=0.25, dim=3, seed=5)], views=2, encode="visible")
    (objective,) = model.objectives
    found = model.masked_pass(model.normalize(IMAGES), 3, training=True)
    means = visible_means(found, model.mask_generator)
    z = numbers(objective.projector(ops.reshape(means, (-1, 8)), training=True)).reshape(8, 2, 3)
    spread = ((z - z.mean(1, keepdims=True)) ** 2).mean()
    apart = isotropy_loss(ops.array(z), random_directions(5, 3, 256, 3), ops.ones(8))
    expected = 0.75 * spread + 0.25 * float(apart)
    measure = objective.measure(found, training=True)["agreement_loss"]
    np.testing.assert_allclose(numbers(measure.values), expected, rtol=1e-4)


# ----------------------------------------------------------------------------- what is averaged


@models
@pytest.mark.parametrize("encode", ["all", "visible"])
def test_the_mean_of_a_view_is_that_of_its_visible_positions(encode):
    model = make([o.Uniformity()], views=2, encode=encode)
    found = model.masked_pass(model.normalize(IMAGES), 3, training=False)
    means = numbers(visible_means(found, model.mask_generator))
    hidden = numbers(found.hidden)[..., 0]
    # Two draws of an image are those of two images.
    assert (hidden.sum((2, 3)) == 3).all()
    assert (hidden[:, 0] != hidden[:, 1]).any()
    expected = numbers(found.encoded).mean((2, 3))
    if encode == "all":
        shown = (1 - hidden)[..., None]
        expected = (numbers(found.encoded) * shown).sum((2, 3)) / shown.sum((2, 3))
    np.testing.assert_allclose(means, expected, atol=1e-5)


def test_views_that_are_apart_lose_one_modality_each():
    m = ks.masking
    modalities = [m.Spatial(), m.Color(), m.Texture()]
    views = m.IndependentViews((0.5, 0.25, 0.75), 3, apart=True)
    masking = m.MaskGenerator(modalities, m.RandomDraw(3), views, block_size=4)
    masking.build((None, 8, 8, 3))
    hidden = numbers(masking.draw(ops.zeros((5, 8, 8, 3)), 2)).sum((2, 3))
    np.testing.assert_array_equal(hidden, np.broadcast_to(np.diag([2, 1, 3]), (5, 3, 3)))
    # The first view is that of a third as many images.
    single = m.MaskGenerator([m.Spatial()], m.RandomDraw(3), 0.5, block_size=4)
    single.build((None, 8, 8, 3))
    first = numbers(single.draw(ops.zeros((15, 8, 8, 3)), 2))[::3, 0, ..., 0]
    np.testing.assert_array_equal(
        numbers(masking.draw(ops.zeros((5, 8, 8, 3)), 2))[:, 0, ..., 0], first
    )


# --------------------------------------------------------------------------------------- jigsaw


@models
def test_jigsaw_names_the_positions_that_were_lost():
    model = make([o.Jigsaw(share=0.5, seed=3)], encode="visible")
    (objective,) = model.objectives
    found = model.masked_pass(model.normalize(IMAGES), 4, training=True)
    lost, positions = numbers(found.lost), numbers(found.positions)
    hidden = numbers(found.hidden).reshape(8, 6)
    np.testing.assert_array_equal(lost.sum(1), 2)
    assert (lost * hidden == 0).all()
    drawn = numbers(random_uniform(3 ^ 0x4A694753, 4, 8, 6))
    lowest = np.argsort(np.where(hidden > 0, 2, drawn), axis=1)[:, :2]
    assert np.take_along_axis(lost, lowest, 1).all()
    logits = numbers(objective.head(ops.reshape(found.encoded, (-1, 3, 8))))
    logits = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = [
        np.mean([-logits[i, k, p] for k, p in enumerate(positions[i]) if lost[i, p]])
        for i in range(8)
    ]
    measures = objective.measure(found, training=True)
    np.testing.assert_allclose(numbers(measures["jigsaw_loss"].values), expected, rtol=1e-4)


# -------------------------------------------------------------------------------- what is refused


def two_objectives_of_one_name():
    make([o.Agreement(), o.Agreement("infonce")], views=2)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: o.Reconstruction("hog"), "target must be one of .*'pixels'.* got 'hog'"),
        (lambda: o.Reconstruction(weight=0), "weight must be above 0, got 0"),
        (lambda: o.Uniformity(-1), "weight must be at least 0, got -1"),
        (lambda: o.Agreement("dino"), "loss must be one of .* got 'dino'"),
        (lambda: o.Agreement(between="images"), "between must be 'views' or 'crops', got 'images'"),
        (lambda: o.Agreement(temperature=0), "temperature must be above 0, got 0"),
        (lambda: o.Agreement(balance=2), "balance must be from 0 to 1, got 2"),
        (lambda: o.Jigsaw(share=0), "share must be a number with 0 < share <= 1, got 0"),
        (lambda: make([o.Agreement()]), "at least 2 views, such as .*views=2.* got one view"),
        (two_objectives_of_one_name, "different names, got .* give one a name="),
        (lambda: make([], reconstruction_weight=1), "nothing to learn"),
        (lambda: make([o.Jigsaw()], reconstruction_weight=0.5), "must be left at 1 .* got 0.5"),
        (lambda: make([o.Jigsaw()], mask_on="pixels"), "needs mask_on='features'.* got .*pixels"),
        (lambda: ks.masking.IndependentViews(1.5), "0 < ratio < 1.* got 1.5"),
        (lambda: ks.masking.IndependentViews((0.5,) * 3), "or 2 of them.* got"),
        (lambda: ks.masking.IndependentViews(count=0), "count must be an integer .* got 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.any_backend
@pytest.mark.parametrize(
    "options", [{"position_embedding": False}, {"relative_position_bias": "shared"}]
)
def test_jigsaw_needs_positions_that_can_be_taken_away(options):
    backbone = ks.backbones.ViT((8, 12, 3), 4, num_layers=1, num_heads=2, hidden_dim=8, **options)
    with pytest.raises(
        ValueError, match=r"position_embedding=True and relative_position_bias=None"
    ):
        ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1), objectives=[o.Jigsaw()])


@pytest.mark.any_backend
def test_only_objectives_are_taken():
    with pytest.raises(TypeError, match=r"objectives must be ks.objectives.Objective, got 'mae'"):
        make(["mae"])


def test_a_pass_of_crops_counts_pictures():
    nothing = dict.fromkeys(("pixels", "masked", "hidden", "encoded", "prediction", "labels"))
    found = MaskedPass(weights=ops.array([1.0, 1.0, 2.0, 0.0]), step=0, crops=2, **nothing)
    np.testing.assert_array_equal(numbers(found.counted()), [1, 0])

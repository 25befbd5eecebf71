"""Learned masking: exact counts, random at first, then the blocks that are hard to predict."""

import keras
import numpy as np
import numpy_reference
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

import keras_simmim as ks
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.masking import LearnedMasking, SoftMasking

pytestmark = pytest.mark.fast_on("tensorflow", "torch")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def scoring(masking, tensor, weights):
    """A generator whose score is this sum of the channels' means and deviations."""
    masking.build(tensor.shape)
    masking.scorer.kernel.assign(np.array(weights, "float32")[:, None])
    return masking


@given(
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    ratio=st.floats(0.05, 0.95),
    step=st.integers(-1, 4000),
    adversarial=st.booleans(),
)
def test_the_ratio_is_exact_at_every_step(grid, ratio, step, adversarial):
    tensor = ops.array(normal(3, 2 * grid[0], 2 * grid[1], 4))
    _, hidden = LearnedMasking(ratio, 2, adversarial)(tensor, step=step)
    hidden = numbers(hidden)
    np.testing.assert_array_equal(
        hidden.sum(axis=(1, 2, 3, 4)), np.ceil(round(ratio * grid[0] * grid[1], 9))
    )
    assert set(np.unique(hidden)) <= {0, 1}


def test_uniform_numbers_are_those_of_the_hash():
    uniform = ops.convert_to_numpy(random_uniform(5, 3, 4, 6))
    image, block = np.arange(4)[:, None], np.arange(6)[None]
    words = numpy_reference.hash_words([5, 3, image, block])
    np.testing.assert_array_equal(uniform, (words >> 9) / 2**23 + 2.0**-24)
    many = ops.convert_to_numpy(random_uniform(0, 0, 100, 100))
    assert 0 < many.min() < 0.001
    assert 0.999 < many.max() < 1
    assert many.mean() == pytest.approx(0.5, abs=0.01)


def test_sharpness_ramps_from_random_to_the_largest_scores():
    tensor = normal(64, 8, 8, 1)
    # Half of the blocks are loud; the score is their deviation.
    loud = np.random.default_rng(1).random((64, 4, 4)) < 0.5
    tensor *= np.where(loud, 3, 0.1).repeat(2, 1).repeat(2, 2)[..., None].astype("float32")
    masking = LearnedMasking(0.3, 2, sharpness=50.0, ramp_steps=100)
    scoring(masking, tensor, [0.0, 1.0])
    shares = []
    for step in (-1, 0, 50, 100, 1000):
        hidden = numbers(masking.draw(ops.array(tensor), step))[:, 0, :, :, 0] == 1
        shares.append(loud[hidden].mean())
    assert shares[0] == pytest.approx(loud.mean(), abs=0.07)
    assert shares[1] == pytest.approx(loud.mean(), abs=0.07)
    assert shares[-1] > 0.98
    assert shares[-2] > 0.98
    # And one image's mask is not another's.
    masks = numbers(masking.draw(ops.array(tensor), 1000)).reshape(64, -1)
    assert len(np.unique(masks, axis=0)) > 60


def test_the_ranking_loss_is_that_of_its_pairs():
    tensor, prediction = normal(2, 4, 6, 3), normal(2, 1, 4, 6, 3, seed=1)
    masking = LearnedMasking(0.6, 2)
    scoring(masking, tensor, normal(6, seed=2))
    hidden = masking.draw(ops.array(tensor), 0)
    loss = masking.ranking_loss(*map(ops.array, (tensor, tensor, prediction)), hidden)
    scores = numbers(masking.block_draw.scores(ops.array(tensor), masking.grid))
    blocks = numpy_reference.to_blocks(tensor, (2, 3)).reshape(2, 6, 4, 3)
    statistics = np.concatenate([blocks.mean(axis=2), np.sqrt(blocks.var(axis=2) + 1e-6)], axis=-1)
    kernel = numbers(masking.scorer.kernel)
    np.testing.assert_allclose(scores, (statistics @ kernel)[..., 0], atol=1e-5)
    scores = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    errors = np.abs(numpy_reference.to_blocks(tensor - prediction[:, 0], (2, 3))).sum(axis=-1)
    mask = numbers(hidden).reshape(2, 6)
    terms = [
        np.log1p(np.exp(scores[b, j] - scores[b, i]))
        for b in range(2)
        for i in range(6)
        for j in range(6)
        if mask[b, i] and mask[b, j] and errors[b, i] > errors[b, j]
    ]
    assert len(terms) == 2 * 6
    assert float(numbers(loss)) == pytest.approx(np.mean(terms), rel=1e-4)


def contrasts(seed, count=64):
    """Images of flat and of noisy 8-pixel blocks, at random places."""
    generator = np.random.default_rng(seed)
    noisy = generator.random((count, 4, 4)) < 0.5
    noise = generator.normal(size=(count, 32, 32, 3)) * 90
    images = 128 + noise * noisy.repeat(8, axis=1).repeat(8, axis=2)[..., None]
    return np.clip(images, 0, 255).astype("uint8")


def learner(adversarial):
    backbone = ks.backbones.ViT((32, 32, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    masking = LearnedMasking(0.5, block_size=2, adversarial=adversarial, ramp_steps=100)
    model = ks.SimMIM(backbone, masking)
    model.compile(keras.optimizers.Adam(3e-3))
    return model


@pytest.mark.long
@pytest.mark.parametrize("adversarial", [False, True], ids=["ranking", "adversarial"])
def test_after_200_steps_what_it_hides_is_harder_than_random_blocks(adversarial):
    model = learner(adversarial)
    # At first it takes the flat blocks for the hard ones.
    before = np.repeat(np.array([0, -0.05], "float32"), 16)[:, None]
    model.mask_generator.scorer.kernel.assign(before)
    images = contrasts(0)
    logs = model.fit(images, batch_size=16, epochs=50, shuffle=False, verbose=0).history
    assert int(numbers(model.step)) == 200
    assert ("ranking_loss" in logs) != adversarial
    assert np.isfinite(logs["loss"][-1])
    if not adversarial:
        assert logs["ranking_loss"][-1] < logs["ranking_loss"][0]
    assert np.abs(numbers(model.mask_generator.scorer.kernel) - before).max() > 0.01

    pixels = model.normalize(ops.array(contrasts(1)))
    losses, masks = [], []
    for step in (-1, 200):
        found = model.masked_pass(pixels, step, training=False)
        hidden = found.hidden
        loss = model.mask_generator.hidden_loss(pixels, found.prediction, hidden)
        losses.append(float(numbers(loss["learned"]).mean()))
        masks.append(numbers(hidden).reshape(64, -1))
    assert losses[1] > 1.15 * losses[0]
    assert (masks[1].sum(axis=1) == 8).all()
    assert len(np.unique(masks[1], axis=0)) > 60


@pytest.mark.parametrize("adversarial", [False, True])
def test_the_scores_get_a_gradient_and_the_features_none_of_theirs(adversarial):
    """One step of plain descent moves the scorer; the features move as without it."""
    model = learner(adversarial)
    images = contrasts(2, 8)
    model.compile(keras.optimizers.SGD(0.1))
    before = numbers(model.mask_generator.scorer.kernel)
    weights = model.get_weights()
    model.fit(images, batch_size=8, shuffle=False, verbose=0)
    assert np.abs(numbers(model.mask_generator.scorer.kernel) - before).max() > 1e-6
    stem = numbers(model.backbone.stem.kernel)
    # Other scores at step 0 draw the same masks and must give the stem the same gradient.
    if not adversarial:
        model.set_weights(weights)
        model.mask_generator.scorer.kernel.assign(before * -3)
        model.step.assign(0)
        model.fit(images, batch_size=8, shuffle=False, verbose=0)
        np.testing.assert_allclose(numbers(model.backbone.stem.kernel), stem, atol=1e-6)


def test_an_adversarial_mask_passes_minus_its_gradient():
    """The derivative by the scorer is that of hidden·(chance)·(−dL/dm), with L = Σ w·m."""
    tensor = normal(2, 4, 6, 3)
    masking = LearnedMasking(0.6, 2, adversarial=True)
    kernel = normal(6, seed=2)
    scoring(masking, tensor, kernel)
    weights = normal(2, 1, 2, 3, 1, seed=3)
    hidden = numbers(masking.draw(ops.array(tensor), 0))

    def chances(kernel):
        masking.scorer.kernel.assign(kernel[:, None])
        standard = masking.block_draw.standard_scores(ops.array(tensor), masking.grid)
        standard = numbers(standard).reshape(hidden.shape)
        return (hidden * weights / (1 + np.exp(-standard))).sum()

    direction, small = normal(6, seed=4), 1e-2
    slope = (chances(kernel + small * direction) - chances(kernel - small * direction)) / 2 / small
    masking.scorer.kernel.assign(kernel[:, None])
    gradient = gradient_of(
        lambda: ops.sum(masking.draw(ops.array(tensor), 0) * ops.array(weights)),
        masking.scorer.kernel,
    )
    assert gradient[:, 0] @ direction == pytest.approx(-slope, rel=0.02, abs=1e-4)


def gradient_of(function, variable):
    """The gradient of a scalar function of no arguments by one variable."""
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                value = function()
            return numbers(tape.gradient(value, variable.value))
        case "jax":
            import jax

            def of(value):
                with keras.StatelessScope(state_mapping=[(variable, value)]):
                    return function()

            return numbers(jax.grad(of)(variable.value))
        case "torch":
            variable.value.grad = None
            function().backward()
            return numbers(variable.value.grad)


def test_a_soft_mask_dims_by_the_sigmoid_of_a_linear_score():
    tensor = normal(2, 4, 6, 3)
    masking = SoftMasking(block_size=2)
    masking.build(tensor.shape)
    kernel, bias = normal(3, 1, seed=1), np.array([0.5], "float32")
    masking.scorer.set_weights([kernel, bias])
    views, hidden = masking(ops.array(tensor))
    means = tensor.reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4))
    share = 1 / (1 + np.exp(-(means @ kernel + bias)))
    np.testing.assert_allclose(numbers(hidden)[:, 0], share, atol=1e-6)
    spread = share.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(numbers(views)[:, 0], tensor * (1 - spread), atol=1e-6)
    assert 0 < numbers(hidden).min() < numbers(hidden).max() < 1


def test_a_soft_mask_with_a_reconstruction_would_hide_nothing():
    backbone = ks.backbones.ViT((8, 8, 3), 4, 1, 1, 4)
    with pytest.raises(ValueError, match=r"SoftMasking would learn to hide nothing.*=0"):
        ks.SimMIM(backbone, SoftMasking())

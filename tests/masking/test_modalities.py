"""The bases of color, space and texture, against one plain matrix for each."""

import keras
import numpy as np
import numpy_reference
import pytest
from compiled import compiled
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.masking import (
    ColorMasking,
    IterativeMasking,
    LearnedMasking,
    Modality,
    SoftMasking,
    SpatialMasking,
    TextureMasking,
)
from keras_simmim.masking.modalities.cosine_basis import cosine_basis

pytestmark = pytest.mark.fast_on("tensorflow", "torch")

# Each modality, and whether it hides a coefficient of that sort, with `top` the largest sort.
MODALITIES = {
    "spatial": (SpatialMasking, {}, lambda sort, top: sort >= 0),
    "chroma": (ColorMasking, {"component": "chroma"}, lambda sort, top: sort == 1),
    "luma": (ColorMasking, {"component": "luma"}, lambda sort, top: sort == 0),
    "low": (TextureMasking, {"band": "low", "cutoff": 0.3}, lambda sort, top: sort <= 0.3 * top),
    "high": (TextureMasking, {"band": "high", "cutoff": 0.3}, lambda sort, top: sort > 0.3 * top),
    "learned": (LearnedMasking, {}, lambda sort, top: sort >= 0),
}
# The others of a kind are long.
REPRESENTATIVE = [
    pytest.param(name, marks=pytest.mark.long if name in ("luma", "high") else ())
    for name in MODALITIES
]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def make(name, **arguments):
    masking_class, options, _ = MODALITIES[name]
    return masking_class(**options, **arguments)


def matrices(masking, name, height, width, channels):
    """T, and 1 for the coefficients that it hides."""
    modality = masking.modalities[0]
    matrix, sorts = numpy_reference.modality_matrix(modality.name, height, width, channels)
    return matrix, MODALITIES[name][2](sorts, height + width - 2)


@pytest.mark.parametrize("name", REPRESENTATIVE)
@given(
    block=st.tuples(st.integers(1, 5), st.integers(2, 4)),
    channels=st.sampled_from([2, 3, 7]),
    seed=st.integers(0, 1000),
)
def test_a_basis_is_orthonormal(name, block, channels, seed):
    masking = make(name, block_size=block)
    modality = masking.modalities[0]
    blocks = normal(2, 1, 2, block[0], 3, block[1], channels, seed=seed)
    coefficients = modality.analyze(ops.array(blocks))
    np.testing.assert_allclose(numbers(modality.synthesize(coefficients)), blocks, atol=1e-5)
    energy, expected = (np.square(x).sum(axis=(3, 5, 6)) for x in (numbers(coefficients), blocks))
    np.testing.assert_allclose(energy, expected, rtol=1e-5)
    # The quick ways to what hiding takes are its definition, T⁻¹(selection⊙T(x)).
    np.testing.assert_allclose(
        numbers(modality.project(ops.array(blocks))),
        numbers(Modality.project(modality, ops.array(blocks))),
        atol=1e-5,
    )

    matrix, hidden = matrices(masking, name, *block, channels)
    flat = blocks.transpose(0, 1, 2, 4, 3, 5, 6).reshape(-1, matrix.shape[0])
    ours = numbers(coefficients).transpose(0, 1, 2, 4, 3, 5, 6).reshape(flat.shape)
    np.testing.assert_allclose(ours, flat @ matrix.T, atol=1e-5)
    np.testing.assert_array_equal(
        numbers(modality.selection((*block, channels))).ravel() == 1, hidden
    )


@pytest.mark.parametrize("size", [1, 2, 3, 32, 192, 768])
def test_the_cosine_basis_of_many_samples_is_still_orthonormal(size):
    basis = numbers(cosine_basis(size)).astype("float64")
    np.testing.assert_allclose(basis @ basis.T, np.eye(size), atol=1e-5)
    if size <= 32:
        np.testing.assert_allclose(basis, numpy_reference.cosine_matrix(size), atol=1e-6)


@pytest.mark.parametrize("name", REPRESENTATIVE)
@given(
    grid=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    block=st.tuples(st.integers(1, 4), st.integers(2, 3)),
    channels=st.sampled_from([2, 3, 5]),
    ratio=st.floats(0.05, 0.95),
)
def test_views_fillings_and_losses_are_those_of_the_matrix(name, grid, block, channels, ratio):
    shape = (grid[0] * block[0], grid[1] * block[1], channels)
    masking = make(name, ratio=ratio, block_size=block, seed=3)
    target, filling = normal(2, *shape), normal(2, *shape, seed=1)
    views, hidden = masking(ops.array(target), step=5)
    filled = masking.fill(ops.array(target), hidden, ops.array(filling[:, None]))
    losses = masking.hidden_loss(ops.array(target), ops.array(filling[:, None]), hidden)

    matrix, selected = matrices(masking, name, *block, channels)
    mask = numbers(hidden).reshape(2, -1, 1) * selected
    count = int(np.ceil(round(ratio * grid[0] * grid[1], 9)))
    np.testing.assert_array_equal(numbers(hidden).sum(axis=(1, 2, 3, 4)), count)
    coefficients, replaced = (
        numpy_reference.to_blocks(x, grid) @ matrix.T for x in (target, filling)
    )
    for result, there in ((views, 0), (filled, replaced)):
        expected = numpy_reference.from_blocks(
            ((1 - mask) * coefficients + mask * there) @ matrix, grid, shape
        )
        np.testing.assert_allclose(numbers(result)[:, 0], expected, atol=1e-5)
    error = np.abs(mask * (replaced - coefficients)).sum(axis=(1, 2))
    expected = error / (mask.sum(axis=(1, 2)) + 1e-5)
    assert list(losses) == list(masking.names)
    np.testing.assert_allclose(numbers(losses[masking.names[0]]), expected, rtol=1e-4)
    # What the view lacks, and what it has, are the input.
    projected = numpy_reference.from_blocks((mask * coefficients) @ matrix, grid, shape)
    np.testing.assert_allclose(numbers(views)[:, 0] + projected, target, atol=1e-5)


@pytest.mark.parametrize("name", MODALITIES)
def test_sequences_are_maps_of_width_one(name):
    sequence, filling = normal(2, 12, 4), normal(2, 1, 12, 4, seed=1)
    masking = make(name, ratio=0.5, block_size=3)
    as_map = make(name, ratio=0.5, block_size=(3, 1))
    views, hidden = masking(ops.array(sequence), step=2)
    # The same random scores.
    as_map(ops.array(sequence[:, :, None]))
    as_map.set_weights(masking.get_weights())
    expected, hidden_map = as_map(ops.array(sequence[:, :, None]), step=2)
    np.testing.assert_array_equal(numbers(hidden), numbers(hidden_map))
    np.testing.assert_allclose(numbers(views), numbers(expected)[:, :, :, 0], atol=1e-6)
    loss = masking.hidden_loss(ops.array(sequence), ops.array(filling), hidden)
    map_loss = as_map.hidden_loss(
        ops.array(sequence[:, :, None]), ops.array(filling[:, :, :, None]), hidden
    )
    (value,), (expected,) = loss.values(), map_loss.values()
    np.testing.assert_allclose(numbers(value), numbers(expected), rtol=1e-6)
    filled = masking.fill(ops.array(sequence), hidden, ops.array(filling))
    assert tuple(filled.shape) == (2, 1, 12, 4)


@pytest.mark.parametrize("name", MODALITIES)
def test_a_token_stands_only_where_all_is_hidden(name):
    masking = make(name, ratio=0.5, block_size=2)
    features = ops.array(normal(2, 4, 4, 3))
    plain, hidden = masking(features, step=1)
    filled, _ = masking(features, step=1, token=ops.array([1.0, 2.0, 9.0]))
    if masking.hides_positions:
        spread = numbers(hidden)[:, 0].repeat(2, axis=1).repeat(2, axis=2)
        np.testing.assert_array_equal(
            numbers(filled)[:, 0], np.where(spread == 1, [1.0, 2.0, 9.0], numbers(features))
        )
    else:
        np.testing.assert_array_equal(numbers(filled), numbers(plain))


def explained(visible, hidden):
    """Share of the variance of `hidden` that a linear map from `visible` explains, held out."""
    half = len(visible) // 2
    design = np.concatenate([visible, np.ones((len(visible), 1))], axis=1)
    # Float32 leaves 1e-7 of what it took away, which an exact solution would read as well.
    solution, *_ = np.linalg.lstsq(design[:half], hidden[:half], rcond=1e-5)
    residual = hidden[half:] - design[half:] @ solution
    return 1 - residual.var() / hidden[half:].var()


@pytest.mark.parametrize("channels", [3, 12], ids=["pixels", "features"])
@pytest.mark.parametrize("name", ["chroma", "luma", "low", "high"])
def test_a_block_does_not_betray_what_it_hides(name, channels):
    grid, block = (20, 20), (2, 3)
    noise = normal(5, grid[0] * block[0], grid[1] * block[1], channels)
    masking = make(name, ratio=0.9, block_size=block)
    views, hidden = masking(ops.array(noise))
    matrix, selected = matrices(masking, name, *block, channels)
    chosen = numbers(hidden).reshape(-1) == 1
    visible = numpy_reference.to_blocks(numbers(views)[:, 0], grid).reshape(-1, matrix.shape[0])
    whole = numpy_reference.to_blocks(noise, grid).reshape(-1, matrix.shape[0]) @ matrix.T
    assert explained(visible[chosen], whole[chosen][:, selected]) < 0.01
    # The measure sees a leak where there is one.
    seen = visible + 0.5 * whole @ np.diag(selected.astype(float)) @ matrix
    assert explained(seen[chosen], whole[chosen][:, selected]) > 0.9


@pytest.mark.parametrize("name", ["chroma", "low"])
def test_half_precision_stays_and_its_loss_is_float32(name):
    features = ops.cast(ops.array(normal(2, 4, 4, 6)), "bfloat16")
    masking = make(name, block_size=2, dtype="mixed_bfloat16")
    views, hidden = masking(features)
    assert keras.backend.standardize_dtype(views.dtype) == "bfloat16"
    pixels = ops.array(normal(2, 8, 8, 3))
    (loss,) = masking.hidden_loss(pixels, ops.zeros((2, 1, 8, 8, 3)), hidden).values()
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "iterative",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("chroma", "low", "learned")),
    ],
)
def test_compiled_masks_equal_eager_ones(name):
    if name == "iterative":
        parts = [SpatialMasking(), ColorMasking(), TextureMasking()]
        masking = IterativeMasking(parts, block_size=2, seed=3)
    else:
        masking = make(name, block_size=2, seed=3)
    features = ops.array(normal(2, 8, 8, 3))
    masking.build((None, 8, 8, 3))
    step = ops.array(2000, dtype="int32")

    def masked(features, step):
        hidden = masking.draw(features, step)
        return (
            masking.fill(features, hidden),
            hidden,
            *masking.hidden_loss(features, ops.expand_dims(features, 1) * 0, hidden).values(),
        )

    results = zip(compiled(masked)(features, step), masked(features, step), strict=True)
    for result, expected in results:
        result, expected = (numbers(ops.stop_gradient(value)) for value in (result, expected))
        np.testing.assert_allclose(result, expected, atol=1e-5)


def build(masking, *shape):
    masking.build((None, *shape))


@pytest.mark.parametrize(
    ("construct", "message"),
    [
        (lambda: ColorMasking("hue"), "component must be 'chroma' or 'luma', got 'hue'"),
        (lambda: TextureMasking("mid"), "band must be 'low' or 'high', got 'mid'"),
        (lambda: TextureMasking(cutoff=1.0), "cutoff must be .* 0 < cutoff < 1, got 1.0"),
        (lambda: TextureMasking(cutoff="a"), "cutoff must be .* got 'a'"),
        (lambda: ColorMasking(ratio=0), "ratio must be .* 0 < ratio < 1, got 0"),
        (lambda: TextureMasking(ratio=1), "ratio must be .* got 1"),
        (lambda: build(ColorMasking(), 8, 8, 1), "ColorMasking needs at least 2 channels, got 1"),
        (lambda: build(TextureMasking(block_size=1), 8, 8, 3), "blocks of at least 2 positions"),
        (lambda: build(TextureMasking(block_size=(1, 4)), 8, 3), "blocks of at least 2 positions"),
        (lambda: build(ColorMasking(block_size=3), 8, 8, 3), r"block_size=\(3, 3\) does not"),
        (lambda: SoftMasking(0), "block_size must be a positive integer .* got 0"),
        (lambda: LearnedMasking(sharpness=0), "sharpness must be a number above 0, got 0"),
        (lambda: LearnedMasking(ramp_steps=0), "ramp_steps must be .* at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(construct, message):
    with pytest.raises(ValueError, match=message):
        construct()

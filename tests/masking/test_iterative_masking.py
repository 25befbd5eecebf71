"""Iterative masking: exact counts, nested or disjoint rounds, one loss a block."""

import math

import keras
import numpy as np
import numpy_reference
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.masking import (
    Color,
    ColorMasking,
    IterativeMasking,
    LearnedMasking,
    SoftMasking,
    Spatial,
    SpatialMasking,
    Texture,
    TextureMasking,
)
from keras_simmim.masking.sharing import largest_remainder, round_counts

pytestmark = pytest.mark.fast_on("tensorflow", "torch")

PARTS = [SpatialMasking, ColorMasking, TextureMasking]


def rounds(blocks, **arguments):
    """What is hidden of a row of blocks of two positions: bool (B, T, N, M)."""
    masking = IterativeMasking(**{"block_size": (1, 2), **arguments})
    masking.build((None, 1, 2 * blocks, 3))
    hidden = ops.convert_to_numpy(masking.draw(ops.zeros((3, 1)), arguments.pop("step", 0)))
    assert set(np.unique(hidden)) <= {0, 1}
    return hidden[:, :, 0].astype(bool)


@given(
    blocks=st.integers(8, 60),
    modalities=st.integers(1, 3),
    iterations=st.integers(1, 4),
    schedule=st.sampled_from(["cumulative", "disjoint"]),
    ratios=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)),
    shares=st.tuples(*[st.floats(0.1, 5)] * 3),
    seed=st.integers(0, 2**31 - 1),
)
def test_rounds_are_exact_and_nested_or_disjoint(
    blocks, modalities, iterations, schedule, ratios, shares, seed
):
    ratio = (min(ratios), max(ratios))
    shares = shares[:modalities]
    parts = [part() for part in PARTS[:modalities]]
    try:
        hidden = rounds(
            blocks,
            maskings=parts,
            iterations=iterations,
            schedule=schedule,
            ratio=ratio,
            shares=shares,
            seed=seed,
        )
    except ValueError:
        # So few blocks that a round or a modality would hide none; tested below.
        assume(False)
    # In a round a block loses at most one thing.
    assert hidden.sum(axis=-1).max() == 1
    per_round = hidden.any(axis=-1)
    counts = per_round.sum(axis=-1)
    assert (counts == counts[0]).all()
    if schedule == "cumulative":
        ramp = np.linspace(*ratio, iterations) if iterations > 1 else [ratio[1]]
        expected = [math.ceil(round(float(share) * blocks, 9)) for share in ramp]
        assert counts[0].tolist() == expected
        # Nested, each block with its modality.
        assert (hidden[:, 1:] >= hidden[:, :-1]).all()
        totals = hidden.sum(axis=2)
    else:
        assert counts[0].sum() == math.ceil(round(ratio[1] * blocks, 9))
        assert counts[0].max() - counts[0].min() <= 1
        assert per_round.sum(axis=1).max() == 1
        totals = hidden.sum(axis=2).cumsum(axis=1)
    # A modality's count is its due, rounded, and one more off where a round may not give back.
    due = counts[0] if schedule == "cumulative" else counts[0].cumsum()
    due = due[:, None] * np.array(shares) / sum(shares)
    assert (np.abs(totals - due) < 2).all()
    assert (np.abs(totals[:, 0] - due[0]) < 1).all()


def test_the_articles_three_rounds_by_hand():
    parts = [part() for part in PARTS]
    hidden = rounds(20, maskings=parts, iterations=3, ratio=(0.4, 0.75))
    # 8, ⌈0.575·20⌉ = 12 and 15 of 20 blocks, shared out evenly, the first first.
    assert hidden[0].sum(axis=1).tolist() == [[3, 3, 2], [4, 4, 4], [5, 5, 5]]
    ranks = numpy_reference.random_ranks(0, 0, 3, 20)
    # Which ranks lose what in the last round, in the order of their first being hidden.
    order = [0] * 3 + [1] * 3 + [2] * 2 + [0, 1, 2, 2] + [0, 1, 2] + [3] * 5
    for image in range(3):
        expected = np.eye(4, dtype=bool)[np.array(order)[ranks[image]]][:, :3]
        np.testing.assert_array_equal(hidden[image, 2], expected)


def test_disjoint_rounds_can_cover_everything():
    parts = [part() for part in PARTS]
    hidden = rounds(20, maskings=parts, schedule="disjoint", ratio=(0.4, 1.0))
    assert hidden.any(axis=-1).sum(axis=2).tolist() == [[7, 7, 6]] * 3
    assert hidden.any(axis=(1, 3)).all()


@pytest.mark.parametrize("ratio", [0.9, (0.1, 0.9)])
def test_disjoint_rounds_take_their_share_as_one_number_or_the_last_of_two(ratio):
    hidden = rounds(20, maskings=[Spatial()], schedule="disjoint", ratio=ratio)
    assert hidden.sum(axis=(2, 3)).tolist() == [[6, 6, 6]] * 3


def test_a_short_form_counts_as_its_modality():
    parts = [SpatialMasking(), ColorMasking("luma"), TextureMasking("high", 0.4)]
    modalities = (Spatial(), Color("luma"), Texture("high", 0.4))
    assert IterativeMasking(parts).modalities == modalities
    assert IterativeMasking(modalities).modalities == modalities


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (SpatialMasking(ratio=0.5), "SpatialMasking .* got ratio=0.5.*set ratio on Iterative"),
        (ColorMasking(block_size=2), r"ColorMasking .* got block_size=\(2, 2\).*set block_size on"),
        (TextureMasking(seed=1), "TextureMasking .* got seed=1.*set seed on IterativeMasking"),
    ],
)
def test_a_short_form_with_something_that_would_not_count_is_refused(part, message):
    with pytest.raises(ValueError, match=message):
        IterativeMasking([part])


def test_configurations_of_earlier_versions_open_whatever_their_parts_hold():
    config = IterativeMasking([Color("luma")], block_size=2, seed=4).get_config()
    part = ColorMasking("luma", ratio=0.1, block_size=7, seed=9)
    config["maskings"] = [keras.saving.serialize_keras_object(part)]
    masking = IterativeMasking.from_config(config)
    assert masking.modalities == (Color("luma"),)
    assert (masking.ratio, masking.block_size, masking.seed) == ((0.4, 0.75), (2, 2), 4)


def test_one_masking_in_one_round_is_that_masking():
    features = ops.array(np.random.default_rng(0).normal(size=(2, 6, 8, 3)).astype("float32"))
    for part in PARTS:
        single = part(ratio=0.6, block_size=2, seed=4)
        iterative = IterativeMasking([part()], 1, ratio=(0.3, 0.6), block_size=2, seed=4)
        for one, other in zip(single(features, step=7), iterative(features, step=7), strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))


@given(total=st.integers(0, 300), shares=st.lists(st.floats(0.01, 10), min_size=1, max_size=5))
def test_largest_remainder_adds_up_and_stays_within_one(total, shares):
    counts = largest_remainder(total, shares)
    due = total * np.array(shares) / sum(shares)
    assert counts.sum() == total
    assert (np.abs(counts - due) < 1).all()


def test_the_alabama_paradox_takes_no_block_back():
    shares = [6, 6, 2]
    assert largest_remainder(10, shares).tolist() == [4, 4, 2]
    assert largest_remainder(11, shares).tolist() == [5, 5, 1]
    assert round_counts([10, 11, 14], shares).tolist() == [[4, 4, 2], [4, 5, 2], [6, 6, 2]]


def test_every_view_is_that_of_its_modalities():
    parts = [SpatialMasking(), ColorMasking(), TextureMasking()]
    pixels = np.random.default_rng(0).normal(size=(2, 8, 12, 3)).astype("float32")
    filling = np.random.default_rng(1).normal(size=(2, 3, 8, 12, 3)).astype("float32")
    token = np.array([3.0, 4.0, 5.0], "float32")
    masking = IterativeMasking(parts, ratio=(0.5, 0.9), block_size=(2, 4))
    views, hidden = masking(ops.array(pixels), step=3, token=ops.array(token))
    filled = masking.fill(ops.array(pixels), hidden, ops.array(filling))
    losses = masking.hidden_loss(ops.array(pixels), ops.array(filling), hidden)
    assert list(losses) == ["spatial", "color", "texture"]
    hidden = ops.convert_to_numpy(hidden).reshape(2, 3, -1, 3)

    names = ("spatial", "color", "texture")
    selected = (lambda s: s >= 0, lambda s: s == 1, lambda s: s <= 0.25 * 4)
    blocks = numpy_reference.to_blocks(pixels, (4, 3))
    replacements = [numpy_reference.to_blocks(filling[:, view], (4, 3)) for view in range(3)]
    tokens = numpy_reference.to_blocks(np.broadcast_to(token, pixels.shape), (4, 3))
    errors = dict.fromkeys(names, 0)
    counts = dict.fromkeys(names, 0)
    for view in range(3):
        shown, painted = blocks.copy(), blocks.copy()
        for index, (name, select) in enumerate(zip(names, selected, strict=True)):
            matrix, sorts = numpy_reference.modality_matrix(name, 2, 4, 3)
            projector = matrix.T @ np.diag(select(sorts).astype(float)) @ matrix
            mask = hidden[:, view, :, index, None]
            shown += mask * (((tokens if name == "spatial" else 0) - blocks) @ projector.T)
            painted += mask * ((replacements[view] - blocks) @ projector.T)
            error = np.abs((replacements[view] - blocks) @ matrix.T * select(sorts) * mask)
            errors[name] += error.sum(axis=(1, 2))
            counts[name] += mask.sum(axis=(1, 2)) * select(sorts).sum()
        for result, expected in ((views, shown), (filled, painted)):
            np.testing.assert_allclose(
                ops.convert_to_numpy(result)[:, view],
                numpy_reference.from_blocks(expected, (4, 3), (8, 12, 3)),
                atol=1e-5,
            )
    for name in names:
        np.testing.assert_allclose(
            ops.convert_to_numpy(losses[name]), errors[name] / counts[name], rtol=1e-4
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"iterations": 0}, "iterations must be an integer of at least 1, got 0"),
        ({"iterations": 2.0}, "iterations must be an integer of at least 1, got 2.0"),
        ({"schedule": "spiral"}, "schedule must be 'cumulative' or 'disjoint', got 'spiral'"),
        ({"ratio": (0.5, 1.0)}, r"ratio must be .* last < 1, got \(0.5, 1.0\)"),
        ({"ratio": (0.5, 1.1), "schedule": "disjoint"}, "last ≤ 1"),
        ({"ratio": (0.6, 0.5)}, "ratio must be"),
        ({"ratio": (0, 0.5)}, "ratio must be"),
        ({"ratio": 0.5}, "ratio must be .* got 0.5"),
        ({"shares": (1.0,)}, r"shares must be 2 positive numbers.* got \(1.0,\)"),
        ({"shares": (1.0, 0)}, "shares must be 2 positive numbers"),
        ({"maskings": []}, "maskings must hold at least one"),
        ({"maskings": [LearnedMasking()]}, "maskings must hold at least one"),
        ({"maskings": [SoftMasking()]}, "maskings must hold at least one"),
        ({"maskings": [ColorMasking(), ColorMasking("luma")]}, "each modality once"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        IterativeMasking(**{"maskings": [SpatialMasking(), ColorMasking()], **arguments})


def test_bad_shapes_are_named():
    parts = [SpatialMasking(), ColorMasking(), TextureMasking()]
    for shape, message in (
        ((8, 8, 1), "ColorMasking needs at least 2 channels"),
        ((9, 8, 3), r"block_size=\(2, 2\) does not divide"),
        ((2, 4, 3), "2 blocks are too few for 3 rounds of 3 modalities"),
    ):
        with pytest.raises(ValueError, match=message):
            IterativeMasking(parts, block_size=2).build((None, *shape))

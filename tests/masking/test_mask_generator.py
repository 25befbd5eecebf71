"""Generators made of modalities, a draw and rounds: any of each go together."""

import dataclasses
import json

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_simmim.masking import (
    Color,
    ColorMasking,
    IterativeMasking,
    LearnedDraw,
    LearnedMasking,
    MaskGenerator,
    RandomDraw,
    Rounds,
    SoftDraw,
    SoftMasking,
    Spatial,
    SpatialMasking,
    Texture,
    TextureMasking,
)

pytestmark = pytest.mark.fast_on("tensorflow", "torch")

ALL = [Spatial(), Color("luma"), Texture("high", 0.4)]

# What is short for what, with no argument at its default.
SHORT_FORMS = {
    "spatial": (
        lambda: SpatialMasking(0.3, (2, 1), 4),
        lambda: MaskGenerator([Spatial()], RandomDraw(4), 0.3, (2, 1)),
    ),
    "color": (
        lambda: ColorMasking("luma", 0.3, 2, 4),
        lambda: MaskGenerator([Color("luma")], RandomDraw(4), 0.3, 2),
    ),
    "texture": (
        lambda: TextureMasking("high", 0.4, 0.3, 2, 4),
        lambda: MaskGenerator([Texture("high", 0.4)], RandomDraw(4), 0.3, 2),
    ),
    "learned": (
        lambda: LearnedMasking(0.3, 2, False, 3.0, 7, 4),
        lambda: MaskGenerator([Spatial()], LearnedDraw(4, False, 3.0, 7), 0.3, 2),
    ),
    "adversarial": (
        lambda: LearnedMasking(0.3, 2, True, 3.0, 7, 4),
        lambda: MaskGenerator([Spatial()], LearnedDraw(4, True, 3.0, 7), 0.3, 2),
    ),
    "soft": (
        lambda: SoftMasking(2),
        lambda: MaskGenerator([Spatial()], SoftDraw(), None, 2),
    ),
    "iterative": (
        lambda: IterativeMasking(ALL, 2, "disjoint", 0.9, (3, 2, 1), 2, 4),
        lambda: MaskGenerator(ALL, RandomDraw(4), Rounds(0.9, 2, "disjoint", (3, 2, 1)), 2),
    ),
}
# What has no short form.
OTHERS = {
    "learned colors": lambda: MaskGenerator([Color()], LearnedDraw(4, True, 3.0, 7), 0.5, 2),
    "learned rounds": lambda: MaskGenerator(
        [Spatial(), Color()], LearnedDraw(4), Rounds((0.3, 0.7), 2), 2, dtype="mixed_bfloat16"
    ),
    "soft texture": lambda: MaskGenerator([Texture()], SoftDraw(), None, (2, 4), name="special"),
    "two at once": lambda: MaskGenerator([Color(), Texture()], RandomDraw(), 0.5, 2),
}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(ops.cast(tensor, "float32")))


def masked(generator, weights=()):
    """Views and masks of the same features at the same step."""
    generator.build((None, 8, 8, 3))
    generator.set_weights(weights or generator.get_weights())
    return [numbers(result) for result in generator(ops.array(normal(3, 8, 8, 3)), step=5)]


@pytest.mark.parametrize("name", SHORT_FORMS)
def test_a_short_form_is_what_it_is_short_for(name):
    short, long = (make() for make in SHORT_FORMS[name])
    expected = masked(short)
    for one, other in zip(masked(long, short.get_weights()), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    for question in ("views", "grid", "hides_positions", "hides_whole_positions"):
        assert getattr(short, question) == getattr(long, question), question
    assert (short.needs_labels, short.has_ranking_loss) == (name == "soft", name == "learned")


@pytest.mark.parametrize("name", [*SHORT_FORMS, *OTHERS])
def test_a_generator_comes_back_from_its_configuration(name):
    generator = OTHERS[name]() if name in OTHERS else SHORT_FORMS[name][1]()
    views, hidden = masked(generator)
    config = keras.saving.serialize_keras_object(generator)
    for form in (config, json.loads(json.dumps(config))):
        copy = keras.saving.deserialize_keras_object(form)
        assert json.dumps(copy.get_config()) == json.dumps(generator.get_config())
        assert copy.modalities == generator.modalities
        again = masked(copy, generator.get_weights())
        np.testing.assert_array_equal(again[0], views)
        np.testing.assert_array_equal(again[1], hidden)


@pytest.mark.parametrize(
    ("generator", "whole"),
    [
        (lambda: SpatialMasking(), True),
        (lambda: LearnedMasking(), True),
        (lambda: IterativeMasking([Spatial()], 1), True),
        (lambda: IterativeMasking([Spatial()], 2), False),
        (lambda: LearnedMasking(adversarial=True), False),
        (lambda: SoftMasking(), False),
        (lambda: ColorMasking(), False),
        (lambda: MaskGenerator([Spatial(), Color()], RandomDraw(), 0.5), False),
    ],
)
def test_hidden_positions_can_be_left_out_where_all_of_them_is_lost(generator, whole):
    assert generator().hides_whole_positions == whole


def test_what_is_visible_is_what_is_not_hidden():
    generator = SpatialMasking(0.6, 2)
    generator.build((None, 4, 6, 3))
    hidden = generator.draw(ops.zeros((3, 1)), 2)
    positions, places = map(ops.convert_to_numpy, generator.visible(hidden, 4, 6)[:2])
    mask = numbers(hidden)[:, 0, :, :, 0].repeat(2, 1).repeat(2, 2).reshape(3, 24)
    for image in range(3):
        np.testing.assert_array_equal(positions[image], np.flatnonzero(mask[image] == 0))
        np.testing.assert_array_equal(places[image][positions[image]], np.arange(8))
        np.testing.assert_array_equal(np.sort(places[image]), np.arange(24))


def test_a_learned_draw_ranks_within_each_view_and_modality():
    generator = OTHERS["learned rounds"]()
    tensor, target = normal(2, 4, 6, 3), normal(2, 8, 12, 3, seed=1)
    prediction = normal(2, 2, 8, 12, 3, seed=2)
    generator.build((None, 4, 6, 3))
    hidden = generator.draw(ops.array(tensor), 0)
    # ⌈0.3·6⌉ and ⌈0.7·6⌉ of 6 blocks.
    np.testing.assert_array_equal(numbers(hidden).sum(axis=(2, 3)), [[[1, 1], [3, 2]]] * 2)
    loss = generator.ranking_loss(*map(ops.array, (tensor, target, prediction)), hidden)

    scores = numbers(generator.block_draw.standard_scores(ops.array(tensor), generator.grid))
    terms = []
    for view in range(2):
        error = numpy_reference.to_blocks(prediction[:, view] - target, (2, 3))
        for index, name in enumerate(("spatial", "color")):
            matrix, sorts = numpy_reference.modality_matrix(name, 4, 4, 3)
            chosen = sorts >= (name == "color")
            errors = np.abs(error @ matrix.T)[..., chosen].sum(axis=-1)
            mask = numbers(hidden)[:, view, ..., index].reshape(2, 6)
            terms += [
                np.log1p(np.exp(scores[b, j] - scores[b, i]))
                for b in range(2)
                for i in np.flatnonzero(mask[b])
                for j in np.flatnonzero(mask[b])
                if errors[b, i] > errors[b, j]
            ]
    assert len(terms) == 2 * (3 + 1)
    assert float(numbers(loss)) == pytest.approx(np.mean(terms), rel=1e-4)


def test_generators_that_share_a_draw_share_its_scorer():
    draw = LearnedDraw()
    first, second = (MaskGenerator([part], draw, 0.5, 2) for part in (Spatial(), Color()))
    masked(first)
    masked(second)
    assert first.scorer is second.scorer
    assert len(first.get_weights()) == 1


def test_a_modality_stays_as_it_is_and_equals_its_like():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Color().component = "luma"
    assert Color("luma") == Color("luma") != Color("chroma")
    assert len({Texture("low"), Texture("low"), Texture("high")}) == 2


@pytest.mark.parametrize(
    ("construct", "message"),
    [
        (lambda: MaskGenerator([], RandomDraw(), 0.5), "modalities must hold at least one"),
        (
            lambda: MaskGenerator([SpatialMasking()], RandomDraw(), 0.5),
            r"modalities must hold .* got \[<SpatialMasking",
        ),
        (
            lambda: MaskGenerator([Color(), Color("luma")], RandomDraw(), 0.5),
            "modalities must hold each modality once",
        ),
        (lambda: MaskGenerator([Spatial()], RandomDraw()), "Rounds for RandomDraw, got None"),
        (lambda: MaskGenerator([Spatial()], LearnedDraw()), "Rounds for LearnedDraw, got None"),
        (
            lambda: MaskGenerator([Spatial()], RandomDraw(), (0.3, 0.5)),
            r"ratio must be a number with 0 < ratio < 1, got \(0.3, 0.5\)",
        ),
        (lambda: MaskGenerator([Spatial()], SoftDraw(), 0.5), "ratio must be None, got 0.5"),
        (
            lambda: MaskGenerator([Spatial(), Color()], SoftDraw()),
            "SoftDraw dims .* modalities must hold one, got 2",
        ),
        (
            lambda: MaskGenerator([Spatial()], RandomDraw(), Rounds(shares=(1, 2))),
            r"shares must be 1 positive numbers, one for each modality, got \(1.0, 2.0\)",
        ),
        (lambda: Rounds(0.5), r"ratio must be \(first, last\) .* got 0.5"),
        (lambda: Rounds(1.0, iterations=1), "ratio must be a number with 0 < ratio < 1 or .* 1.0"),
        (lambda: Rounds(1.1, schedule="disjoint"), "ratio must be a number with 0 < ratio ≤ 1 or"),
        (lambda: Rounds((0.1, 0.2, 0.3)), "ratio must be"),
        (lambda: RandomDraw(-1), r"seed must be an integer with 0 <= seed < 2\*\*31, got -1"),
        (lambda: LearnedDraw(0.5), "seed must be an integer .* got 0.5"),
    ],
)
def test_bad_arguments_are_named(construct, message):
    with pytest.raises(ValueError, match=message):
        construct()


@pytest.mark.parametrize(
    "construct",
    [
        lambda: SoftMasking(ratio=0.3),
        lambda: SoftMasking(seed=3),
        lambda: SpatialMasking(draw=LearnedDraw()),
        lambda: SpatialMasking(iterations=3),
        lambda: ColorMasking(modalities=[Texture()]),
    ],
)
def test_a_short_form_takes_nothing_that_it_would_ignore(construct):
    with pytest.raises((TypeError, ValueError), match=r"ratio|seed|draw|iterations|modalities"):
        construct()

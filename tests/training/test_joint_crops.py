"""Boxes and masks stay on what the image shows, wherever it is moved to."""

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops
from PIL import Image

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")

JointCrops = ks.training.JointCrops
HEIGHT, WIDTH = 48, 64
DARK, LIGHT = 40, 240
STILL = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0), "flip": False}
GEOMETRIES = {
    "crop": {"scale": (0.3, 0.9), "flip": False},
    "flip": {"scale": (0.5, 1.0), "ratio": (1.0, 1.0)},
    "zoom": {"scale": (1.0, 4.0)},
    "mosaic": {**STILL, "mosaic": 1.0},
    "every": {"scale": (0.4, 2.5), "mosaic": 0.6},
}
ALL = {"scale": (0.4, 2.5), "mosaic": 0.6, "mixup": 0.6, "color_jitter": 0.4, "seed": 3}
# The same on TensorFlow, JAX and torch.
GOLDEN_IMAGES = [[17.6808, 17.6808], [38.3475, 32.5536]]
GOLDEN_BOXES = [
    [[28.4031, 6.2952, 53.0255, 41.7071], [0, 0, 0, 0]],
    [[28.4031, 6.2952, 53.0255, 41.7071], [1.0893, 10.2651, 8.4508, 20.8137]],
]
GOLDEN_LABELS = [[0, -1], [0, -2]]


def rendered(count=8, room=6):
    """Light rectangles, one in each image, with their boxes; the last box of an image pads."""
    generator = np.random.default_rng(0)
    images = np.full((count, HEIGHT, WIDTH, 3), DARK, "uint8")
    boxes = np.zeros((count, room, 4), "float32")
    labels = np.full((count, room), -1, "int32")
    for number in range(count):
        height, width = generator.integers(12, 28, 2)
        top, left = generator.integers(0, HEIGHT - height), generator.integers(0, WIDTH - width)
        images[number, top : top + height, left : left + width] = LIGHT
        boxes[number, 0] = left, top, left + width, top + height
        labels[number, 0] = number
    return {"images": images, "boxes": boxes, "labels": labels}


def moved(record, step=0, **arguments):
    found = JointCrops(**arguments)(record, step=step)
    return {name: ops.convert_to_numpy(value) for name, value in found.items()}


def uniform(seed, step, images):
    """The draws of so many images, (images, 11)."""
    words = [seed ^ 0x4A6F696E, step, np.arange(images)[:, None], np.arange(11)[None]]
    return ((numpy_reference.hash_words(words) >> 9) + 0.5) / 2**23


def crop_of(draws, scale, ratio):
    """Left, top, width and height of a crop, from its draws."""
    size = np.sqrt(scale[0] + draws[0] * (scale[1] - scale[0]))
    stretch = np.sqrt(ratio[0] ** (1 - draws[1]) * ratio[1] ** draws[1])
    width, height = WIDTH * size * stretch, HEIGHT * size / stretch
    if scale[1] <= 1:
        width, height = min(width, WIDTH), min(height, HEIGHT)
    return draws[3] * (WIDTH - width), draws[2] * (HEIGHT - height), width, height


def painted(boxes, labels, margin):
    """True where a box, made larger by a margin, holds the center of a pixel, (H, W)."""
    rows, columns = np.arange(HEIGHT)[:, None] + 0.5, np.arange(WIDTH)[None] + 0.5
    result = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in boxes[labels != -1]:
        result |= (
            (columns > left - margin)
            & (columns < right + margin)
            & (rows > top - margin)
            & (rows < bottom + margin)
        )
    return result


def is_even(mask):
    """True where a mask (B, H, W) has one value in all of a pixel's 3×3 neighborhood."""
    padded = np.pad(mask, [(0, 0), (1, 1), (1, 1)], mode="edge")
    shifted = [
        padded[:, row : row + HEIGHT, column : column + WIDTH]
        for row in range(3)
        for column in range(3)
    ]
    return np.all([each == mask for each in shifted], axis=0)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_box_stays_on_its_object(name):
    record = rendered()
    kept = 0
    for step in range(4):
        found = moved(record, step, **GEOMETRIES[name], min_visible=0.0)
        assert found["images"].shape == record["images"].shape
        assert found["boxes"].dtype == found["images"].dtype == np.float32
        assert found["labels"].dtype == np.int32
        kept += np.sum(found["labels"] != -1)
        for image, boxes, labels in zip(*found.values(), strict=True):
            # What is left of a box at the very edge may be under a pixel.
            light = (image[..., 0] > (DARK + LIGHT) / 2)[1:-1, 1:-1]
            assert np.all(light[painted(boxes, labels, -1)[1:-1, 1:-1]])
            assert not np.any(light & ~painted(boxes, labels, 1)[1:-1, 1:-1])
            assert not np.any(boxes[labels == -1])
            assert np.all(boxes >= 0)
            assert np.all(boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT])
    assert kept >= (100 if name == "mosaic" else 25)


@pytest.mark.parametrize("name", ["crop", "flip", "zoom"])
def test_the_object_is_found_where_the_box_is(name):
    found = moved(rendered(), step=2, **GEOMETRIES[name], min_visible=0.0)
    compared = 0
    for image, boxes, labels in zip(*found.values(), strict=True):
        rows, columns = np.nonzero(image[..., 0] > (DARK + LIGHT) / 2)
        if labels[0] != -1:
            seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            np.testing.assert_allclose(boxes[0], seen, atol=1)
            compared += 1
    assert compared >= 6


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_mask_stays_on_its_image(name):
    images = rendered()["images"]
    masks = (images[..., 0] == LIGHT).astype("uint8")
    found = moved({"images": images, "masks": masks}, step=2, **GEOMETRIES[name])
    assert found["masks"].dtype == np.int32
    image, mask = found["images"][..., 0], found["masks"]
    inner = is_even(mask)
    np.testing.assert_array_equal(image[inner & (mask == 1)] > (DARK + LIGHT) / 2, True)
    np.testing.assert_array_equal(image[inner & (mask == 0)] < (DARK + LIGHT) / 2, True)
    means = np.broadcast_to(images[..., 0].mean((1, 2), keepdims=True), mask.shape)
    outside = inner & (mask == 255)
    assert np.any(outside) == (name in ("zoom", "every"))
    np.testing.assert_allclose(image[outside], means[outside], atol=1e-3)


def test_ignored_pixels_and_classes_above_them_are_moved_too():
    values = np.arange(HEIGHT * WIDTH).reshape(1, HEIGHT, WIDTH)
    record = {"images": np.zeros((1, HEIGHT, WIDTH, 1), "uint8"), "masks": values}
    np.testing.assert_array_equal(moved(record, **STILL)["masks"], values)
    halves = moved(record, **STILL, mosaic=1.0)["masks"]
    np.testing.assert_array_equal(halves[0, 24:, 32:], values[0, 1::2, 1::2])


def test_nothing_moves_unless_asked_to(images):
    boxes, labels = rendered()["boxes"], rendered()["labels"]
    labels[1, 0] = -2
    weights = np.linspace(0, 1, 8, dtype="float32")
    record = {"images": images, "boxes": boxes / 4, "labels": labels, "weights": weights}
    found = moved(record, **STILL)
    assert list(found) == list(record)
    np.testing.assert_allclose(found["images"], images, atol=1e-3)
    for name in ("boxes", "labels", "weights"):
        np.testing.assert_array_equal(found[name], record[name])


def test_boxes_are_what_numpy_makes_of_the_draws():
    record, scale, ratio = rendered(), (0.3, 2.0), (0.5, 2.0)
    record["labels"][3, 0] = -2
    found = moved(record, step=4, scale=scale, ratio=ratio, min_visible=0.5, seed=7)
    for number, draws in enumerate(uniform(7, 4, 8)):
        left, top, width, height = crop_of(draws, scale, ratio)
        box = record["boxes"][number, 0].astype("float64").reshape(2, 2)
        box = (box - [left, top]) * [WIDTH / width, HEIGHT / height]
        if draws[4] < 0.5:
            box[:, 0] = WIDTH - box[::-1, 0]
        clipped = np.clip(box, 0, [WIDTH, HEIGHT])
        area, remaining = (np.prod(each[1] - each[0]) for each in (box, clipped))
        stays = remaining >= 0.5 * area
        expected = clipped.ravel() * stays
        np.testing.assert_allclose(found["boxes"][number, 0], expected, atol=1e-3)
        assert found["labels"][number, 0] == (record["labels"][number, 0] if stays else -1)
    assert {-1, -2} < set(found["labels"][:, 0])


def test_a_mosaic_is_four_halves(images):
    draws = uniform(0, 4, 8)
    others = (np.arange(8)[:, None] + 1 + (draws[:, 6:9] * 7).astype(int)) % 8
    found = moved({**rendered(), "images": images}, step=4, **STILL, mosaic=0.5)["images"]
    mosaics = draws[:, 5] < 0.5
    assert 0 < mosaics.sum() < 8
    height, width = images.shape[1:3]
    for number in range(8):
        expected = images[number]
        if mosaics[number]:
            halves = [
                np.asarray(
                    Image.fromarray(images[each]).resize(
                        (width // 2, height // 2), Image.Resampling.BILINEAR
                    )
                )
                for each in (number, *others[number])
            ]
            expected = np.concatenate(
                [np.concatenate(halves[:2], axis=1), np.concatenate(halves[2:], axis=1)]
            )
        # Pillow rounds twice.
        np.testing.assert_allclose(found[number], expected, atol=1.01)


def test_mixed_images_have_the_boxes_of_both():
    record = rendered()
    draws = uniform(0, 3, 8)
    others = (np.arange(8) + 1 + (draws[:, 10] * 7).astype(int)) % 8
    found = moved(record, step=3, **STILL, mixup=0.5)
    mixes = draws[:, 9] < 0.5
    assert 0 < mixes.sum() < 8
    for number, other in enumerate(others):
        shown = {number, other} if mixes[number] else {number}
        pixels = np.mean([record["images"][each].astype("float32") for each in shown], axis=0)
        np.testing.assert_allclose(found["images"][number], pixels, atol=1e-3)
        assert set(found["labels"][number]) == shown | {-1}
        for box, label in zip(found["boxes"][number], found["labels"][number], strict=True):
            expected = record["boxes"][label, 0] if label >= 0 else np.zeros(4)
            np.testing.assert_allclose(box, expected, atol=1e-3)


def test_a_mosaic_keeps_the_largest_boxes():
    record = rendered(room=2)
    found = moved(record, **STILL, mosaic=1.0)
    areas = np.prod(found["boxes"][..., 2:] - found["boxes"][..., :2], axis=-1).round()
    assert np.all(areas[:, 0] >= areas[:, 1])
    assert np.all(areas[:, 1] > 0)


def test_every_backend_draws_these():
    record = rendered(count=2, room=2)
    record["labels"][1, 0] = -2
    found = moved(record, step=9, **ALL)
    np.testing.assert_array_equal(found["labels"], GOLDEN_LABELS)
    np.testing.assert_allclose(found["boxes"], GOLDEN_BOXES, atol=1e-3)
    np.testing.assert_allclose(found["images"][:, 8::20, 24, 1], GOLDEN_IMAGES, atol=1e-2)


def test_it_is_a_function_of_seed_step_and_image():
    record = rendered()
    first, again = moved(record, 5, **ALL), moved(record, 5, **ALL)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    for step, seed in ((6, 3), (5, 4)):
        other = moved(record, step, **{**ALL, "seed": seed})
        assert np.all(np.any(first["images"] != other["images"], axis=(1, 2, 3)))
    few = {name: value[:3] for name, value in record.items()}
    for name, value in moved(few, 5).items():
        np.testing.assert_allclose(value, moved(record, 5)[name][:3], atol=1e-3)


def test_an_image_alone_in_its_batch_is_its_own_partner():
    record = rendered(count=1)
    assert np.sum(moved(record, **STILL, mixup=1.0)["labels"] != -1) == 1
    found = moved(record, **STILL, mosaic=1.0)
    np.testing.assert_array_equal(found["labels"], [[0, 0, 0, 0, -1, -1]])


def test_a_batch_may_be_empty_and_so_may_images_be_of_boxes():
    record = rendered()
    empty = moved({name: value[:0] for name, value in record.items()}, **ALL)
    assert {name: value.shape for name, value in empty.items()} == {
        "images": (0, HEIGHT, WIDTH, 3),
        "boxes": (0, 6, 4),
        "labels": (0, 6),
    }
    found = moved({**record, "labels": np.full((8, 6), -1)}, **ALL)
    assert np.all(found["labels"] == -1)
    assert not np.any(found["boxes"])


@pytest.mark.parametrize("kind", ["boxes", "masks"])
def test_a_compiled_model_does_the_same(kind):
    """On TensorFlow, of a batch whose size is not known while it is compiled."""
    record, arguments = rendered(), dict(ALL)
    if kind == "masks":
        record = {"images": record["images"], "masks": record["images"][..., 0] // 200}
        arguments["mixup"] = 0.0
    inputs = {
        name: keras.Input(value.shape[1:], dtype=value.dtype.name, name=name)
        for name, value in record.items()
    }
    outputs = JointCrops(**arguments)(inputs, step=5)
    assert {name: output.shape for name, output in outputs.items()} == {
        name: (None, *value.shape[1:]) for name, value in record.items()
    }
    model = keras.Model(inputs, outputs)
    model.compile(jit_compile=keras.backend.backend() != "torch")
    found = model.predict(record, batch_size=4, verbose=0)
    for half in (slice(4), slice(4, 8)):
        part = {name: value[half] for name, value in record.items()}
        for name, value in moved(part, 5, **arguments).items():
            np.testing.assert_allclose(found[name][half], value, atol=1e-3)

"""Crops are what NumPy makes of the same hashes, and each is drawn by itself."""

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops
from PIL import Image

import keras_simmim as ks
from keras_simmim.training.gaussian_blur import gaussian_blur
from keras_simmim.training.random_boxes import BOX_DRAWS, random_boxes
from keras_simmim.training.resampling import resample

pytestmark = pytest.mark.fast_on("torch")

Crops = ks.training.Crops
EVERY = {"color_jitter": 0.4, "gray": 0.5, "blur": 0.5}
# The same on TensorFlow, JAX and torch.
GOLDEN = [[[85.4785, 77.6657], [88.9143, 79.7916]], [[217.6663, 200.2167], [101.2262, 117.8684]]]


def cropped(images, step=0, **arguments):
    return ops.convert_to_numpy(Crops(**arguments)(images, step=step))


def uniform(seed, step, images, blocks):
    """The draws of so many images, (images, blocks)."""
    image, block = np.arange(images)[:, None], np.arange(blocks)[None]
    words = numpy_reference.hash_words([seed, step, image, block])
    return ((words >> 9) + 0.5) / 2**23


def box(draws, height, width, scale, ratio):
    """Top, left, height and width of the first box that fits, or of the largest one."""
    for area, place in zip(draws[:10], draws[10:20], strict=True):
        pixels = (scale[0] + area * (scale[1] - scale[0])) * height * width
        proportion = ratio[0] ** (1 - place) * ratio[1] ** place
        sides = np.sqrt(pixels / proportion), np.sqrt(pixels * proportion)
        if sides[0] <= height and sides[1] <= width:
            break
    else:
        sides = min(height, width / ratio[0]), min(width, height * ratio[1])
    top, left = draws[20:22] * (np.array([height, width]) - sides)
    return [top, left, *sides]


def weights(start, length, size, count):
    """Weights of a side's pixels for those that a part of it becomes, (count, size)."""
    step = length / count
    centers = start + (np.arange(count) + 0.5) * step
    distances = np.abs(centers[:, None] - np.arange(size) - 0.5)
    hat = np.maximum(1 - distances / max(step, 1), 0)
    return hat / hat.sum(axis=1, keepdims=True)


def blurred(image, sigma, reach):
    """An image blurred along both sides by a kernel that ends at `reach` pixels."""
    rows, columns = (np.subtract.outer(*[np.arange(side)] * 2) for side in image.shape[:2])
    rows, columns = (
        np.exp(-0.5 * (distances / sigma) ** 2) * (abs(distances) <= reach)
        for distances in (rows, columns)
    )
    rows, columns = (kernel / kernel.sum(axis=1, keepdims=True) for kernel in (rows, columns))
    return np.einsum("yh,xw,hwc->yxc", rows, columns, image, optimize=True)


def expected_crops(images, step, size, scale, ratio, gray, blur, seed):
    drawn = uniform(seed ^ 0x43726F70, step, 2 * len(images), BOX_DRAWS + 4)
    result = []
    for number, draws in enumerate(drawn):
        image = images[number // 2].astype("float64")
        top, left, height, width = box(draws, *image.shape[:2], scale, ratio)
        rows = weights(top, height, image.shape[0], size[0])
        columns = weights(left, width, image.shape[1], size[1])[:: -1 if draws[22] < 0.5 else 1]
        crop = np.einsum("yh,xw,hwc->yxc", rows, columns, image, optimize=True)
        if draws[23] < gray:
            crop = np.repeat((crop @ [0.299, 0.587, 0.114])[..., None], 3, axis=-1)
        if draws[24] < blur:
            pixel = min(size) / 224
            crop = blurred(crop, pixel * (0.1 + 1.9 * draws[25]), np.ceil(6 * pixel))
        result.append(crop)
    return np.reshape(result, (len(images), 2, *size, 3))


@pytest.mark.parametrize(("size", "scale"), [((8, 10), (0.3, 1.0)), ((160, 128), (0.05, 0.2))])
def test_crops_are_what_numpy_makes_of_them(images, size, scale):
    shared = {"scale": scale, "ratio": (0.5, 2.0), "gray": 0.5, "blur": 0.5, "seed": 3}
    found = cropped(images, step=5, image_size=size, **shared)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected_crops(images, 5, size, **shared), atol=2e-3)


def test_every_backend_draws_these():
    images = np.arange(2 * 6 * 8 * 3).reshape(2, 6, 8, 3).astype("uint8")
    found = cropped(images, step=7, image_size=(1, 2), seed=1, **EVERY)
    np.testing.assert_allclose(found[:, :, 0, :, 1], GOLDEN, atol=1e-2)


def test_the_first_box_that_fits_is_taken():
    draws = np.full((3, BOX_DRAWS), 0.5, "float32")
    draws[0, 1] = 0.0  # never looked at, as the first one fits
    draws[1, 10:13] = 0.0  # 20 wide for 40 high
    draws[1, 3] = 0.0
    draws[2, 10:20] = 0.0
    boxes = random_boxes(ops.convert_to_tensor(draws), (30, 40), (0.5, 0.8), (0.25, 4.0))
    sides = [np.sqrt(780)] * 2, [np.sqrt(600)] * 2, [30, 40]
    expected = [[*(np.array([30, 40]) - side) / 2, *side] for side in sides]
    np.testing.assert_allclose(ops.convert_to_numpy(boxes), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("corner", "shape", "size"), [((2, 5), (9, 12), (6, 4)), ((0, 0), (16, 24), (20, 30))]
)
def test_a_box_becomes_what_pillow_makes_of_it(images, corner, shape, size):
    boxes = np.float32([[[*corner, *shape]]])
    found = resample(
        ops.cast(images[:1], "float32"),
        ops.convert_to_tensor(boxes),
        ops.zeros((1, 1), "bool"),
        size,
    )
    inner = ops.convert_to_numpy(found)[0, 0]
    part = (corner[1], corner[0], corner[1] + shape[1], corner[0] + shape[0])
    expected = Image.fromarray(images[0]).resize(size[::-1], Image.Resampling.BILINEAR, box=part)
    # Pillow leaves out what lies outside the box, and rounds twice.
    rows = slice(1, -1) if corner[0] else slice(None)
    np.testing.assert_allclose(inner[rows, rows], np.asarray(expected)[rows, rows], atol=1.01)


@pytest.mark.parametrize("ratio", [(1.0, 1.0), (1.5, 1.5)])
def test_the_whole_image_stays_what_it_is(images, ratio):
    pixels = images[:, :, :16] if ratio == (1.0, 1.0) else images
    found = cropped(pixels, scale=(1.0, 1.0), ratio=ratio, flip=False)
    np.testing.assert_allclose(found, np.stack([pixels, pixels], axis=1), atol=1e-3)


def test_a_constant_image_stays_constant(images):
    gray = np.full((4, 16, 24, 1), 77, "uint8")
    np.testing.assert_allclose(cropped(gray, blur=1.0), 77, atol=1e-4)


def test_they_are_a_function_of_seed_step_and_image(images):
    layer = Crops(**EVERY, seed=3)
    first = ops.convert_to_numpy(layer(images, step=5))
    np.testing.assert_array_equal(first, ops.convert_to_numpy(layer(images, step=5)))
    few = ops.convert_to_numpy(layer(images[:3], step=5))
    np.testing.assert_allclose(few, first[:3], atol=1e-3)
    same = np.broadcast_to(images[:1], images.shape)
    crops = ops.convert_to_numpy(layer(same, step=5)).reshape(16, -1)
    others = cropped(same, step=6, **EVERY, seed=3), cropped(same, step=5, **EVERY, seed=4)
    every = np.concatenate([crops, *(other.reshape(16, -1) for other in others)])
    assert len(np.unique(every, axis=0)) == 48


def test_crops_that_were_made_before_are_not_cropped_again(images):
    before = np.stack([images, images[::-1]], axis=1)
    np.testing.assert_array_equal(cropped(before), before)
    after = cropped(before, step=2, **EVERY)
    alone = cropped(before.reshape(16, 1, *images.shape[1:]), step=2, count=1, **EVERY)
    np.testing.assert_allclose(after.reshape(alone.shape), alone, atol=1e-3)
    assert np.any(after != before)


def test_a_gray_crop_has_three_equal_channels(images):
    before = np.stack([images, images], axis=1)
    found = cropped(before, gray=1.0)
    expected = np.repeat((before @ [0.299, 0.587, 0.114])[..., None], 3, axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    share = np.mean(
        [np.ptp(cropped(before, step, gray=0.25), axis=-1).max((2, 3)) < 1e-3 for step in range(20)]
    )
    assert 0.15 < share < 0.35


def test_a_blur_keeps_means_and_takes_contrast(images):
    pixels = ops.cast(images, "float32")
    widths = np.linspace(0.1, 2.0, 8, dtype="float32")
    found = ops.convert_to_numpy(gaussian_blur(pixels, ops.convert_to_tensor(widths), 2.0))
    contrast = found.std((1, 2, 3)) / images.std((1, 2, 3))
    assert np.all(np.diff(contrast) < 0)
    np.testing.assert_allclose(contrast[0], 1, atol=1e-6)
    expected = [blurred(each, sigma, 6) for each, sigma in zip(images, widths, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-2)
    np.testing.assert_allclose(found.mean((1, 2, 3)), images.mean((1, 2, 3)), rtol=0.02)


def test_a_batch_may_be_empty(images):
    assert cropped(images[:0], **EVERY).shape == (0, 2, 16, 24, 3)


def test_it_takes_part_in_a_model(images):
    layer = Crops(image_size=8, **EVERY)
    pixels = keras.Input((16, 24, 3))
    crops = layer(pixels, step=4)
    assert crops.shape == (None, 2, 8, 8, 3)
    found = keras.Model(pixels, crops).predict_on_batch(images.astype("float32"))
    np.testing.assert_allclose(found, cropped(images, 4, image_size=8, **EVERY), atol=1e-3)


def test_it_round_trips():
    layer = Crops(3, (0.2, 0.9), (0.5, 2.0), False, 0.4, 0.2, 0.5, seed=7, image_size=(8, 12))
    assert Crops.from_config(layer.get_config()).get_config() == layer.get_config()
    assert keras.saving.get_registered_name(Crops) == "keras_simmim>Crops"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"count": 0}, ValueError, "count must be at least 1, got 0"),
        ({"scale": (0.5, 1.5)}, ValueError, "scale must satisfy 0 < low <= high <= 1"),
        ({"ratio": (2, 1)}, ValueError, "ratio must satisfy 0 < low <= high"),
        ({"flip": 1}, TypeError, "flip must be True or False, got 1"),
        ({"color_jitter": 1.5}, ValueError, "color_jitter must be from 0 to 1, got 1.5"),
        ({"gray": -1}, ValueError, "gray must be from 0 to 1, got -1"),
        ({"blur": 2}, ValueError, "blur must be from 0 to 1, got 2"),
        ({"seed": -1}, ValueError, "seed must be an integer with 0 <= seed"),
        ({"image_size": 0}, ValueError, "image_size must be at least 1, got 0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Crops(**arguments)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((2, 8, 8, 1), {"gray": 0.2}, "gray needs images of 3 channels, got 1"),
        (
            (2, 8, 8, 2),
            {"color_jitter": 0.2},
            "color_jitter needs images of 1 or 3 channels, got 2",
        ),
        ((8, 8, 3), {}, r"images must be \(B, H, W, C\), or crops \(B, 2, H, W, C\)"),
        ((2, 3, 8, 8, 3), {}, r"for count=2, got \(2, 3, 8, 8, 3\)"),
        ((2, 2, 8, 8, 3), {"image_size": 6}, r"must have image_size=\(6, 6\), got \(2, 2, 8, 8, 3"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        Crops(**arguments)(np.zeros(shape, "float32"), step=0)

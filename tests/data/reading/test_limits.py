"""Files that would be read wrongly or take too much memory are refused before they are decoded."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_simmim import data
from keras_simmim.data.geometry.boxes import whole_box
from keras_simmim.data.reading.encoded_image import MAX_PIXELS, EncodedImage

pytestmark = pytest.mark.any_backend

PHOTOGRAPH = Image.fromarray(
    np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
).resize((40, 32), Image.Resampling.BICUBIC)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return bytearray(file.getvalue())


def whole(contents, **options):
    image = EncodedImage.open(bytes(contents), 3, **options)
    return image.part(whole_box(image.shape)).numpy()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("WEBP", {"lossless": False}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0"}),  # with an extended header
    ],
)
def test_the_limit_counts_the_pixels_of_every_format(kind, options):
    contents = encoded(PHOTOGRAPH, kind, **options)
    assert whole(contents, max_pixels=32 * 40).shape == (32, 40, 3)
    for refused in (contents, contents + b"\0"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="more pixels than max_pixels"):
            whole(refused, max_pixels=32 * 40 - 1)


def test_a_bomb_is_refused_by_its_header(tmp_path):
    bomb = encoded(PHOTOGRAPH, "PNG")
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    upside_down = encoded(PHOTOGRAPH, "BMP")
    upside_down[18:26] = struct.pack("<ii", 60_000, -60_000)
    (tmp_path / "bomb.png").write_bytes(bomb)
    (tmp_path / "bomb.bmp").write_bytes(upside_down)
    PHOTOGRAPH.save(tmp_path / "photograph.png")
    dataset = data.image_folder(tmp_path, 8, training=False)
    assert sum(len(batch) for batch in dataset) == 1
    reasons = set(dataset.broken_files.values())
    assert reasons == {f"more pixels than max_pixels={MAX_PIXELS}"}
    with pytest.raises(ValueError, match="all 3 images are broken"):
        data.image_folder(tmp_path, 8, max_pixels=100)
    with pytest.raises(ValueError, match="max_pixels must be at least 1, got 0"):
        data.image_folder(tmp_path, 8, max_pixels=0)


@pytest.mark.parametrize("transform", [0, 2])
def test_cmyk_and_ycck_as_pillow_reads_them(transform):
    contents = encoded(PHOTOGRAPH.convert("CMYK"), "JPEG", quality=95)
    contents[contents.index(b"Adobe") + 11] = transform
    expected = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
    assert np.abs(whole(contents).astype(int) - expected).max() <= 1
    assert (np.abs(expected.astype(int) - PHOTOGRAPH).max() <= 40) == (transform == 0)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_bmp_with_and_without_a_palette(mode):
    image = PHOTOGRAPH.quantize(200) if mode == "P" else PHOTOGRAPH.convert(mode)
    np.testing.assert_array_equal(whole(encoded(image, "BMP")), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["1", "L"])
def test_one_bit(mode):
    image = PHOTOGRAPH.convert("1").convert(mode)
    np.testing.assert_array_equal(whole(encoded(image, "PNG")), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("place", "value"), [(14, 12), (28, 1), (28, 4), (28, 16), (30, 1)])
def test_other_bmp_are_refused(place, value):
    contents = encoded(PHOTOGRAPH.convert("L"), "BMP")
    contents[place] = value
    with pytest.raises(tf.errors.InvalidArgumentError, match="BMP is supported with 8, 24 or 32"):
        whole(contents)

"""AVIF and HEIC, and all channels of JPEG, PNG, GIF, BMP and WebP."""

import io

import numpy as np
import pillow_heif
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_simmim.data.geometry.boxes import whole_box
from keras_simmim.data.reading.channel_choice import ChannelChoice
from keras_simmim.data.reading.encoded_image import EncodedImage
from keras_simmim.data.reading.read_picture import read_picture

pytestmark = pytest.mark.long

MOST = 10**6
NOISE = np.random.default_rng(0).integers(0, 256, (32, 40, 4), dtype=np.uint8)
PHOTOGRAPH = Image.fromarray(NOISE).resize((60, 48), Image.Resampling.BICUBIC)


def encoded(image, kind, **options):
    file = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(file, quality=-1, **options)
    else:
        image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP"])
def test_lossless_formats_keep_all_channels(kind, mode):
    # What a BMP does not have becomes color.
    image = PHOTOGRAPH.convert("RGB" if (kind, mode) == ("BMP", "LA") else mode)
    contents = encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    stored = Image.open(io.BytesIO(contents))
    if stored.mode == "P":
        stored = stored.convert("RGBA" if "transparency" in stored.info else "RGB")
    stored = stored.convert("L") if stored.mode == "1" else stored
    found = read_picture(contents, MOST)
    np.testing.assert_array_equal(found.pixels.squeeze(), np.asarray(stored))
    assert found.is_display
    assert len(found.names) == found.channels


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("channels", [1, 3])
def test_gray_and_color_as_tensorflow_reads_them(kind, mode, channels):
    contents = encoded(PHOTOGRAPH.convert(mode), kind)
    image = EncodedImage.open(tf.constant(contents), channels)
    expected = image.part(whole_box(image.shape)).numpy().astype(int)
    found = ChannelChoice(channels).of(read_picture(contents, MOST)).pixels
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= (1 if kind in ("JPEG", "WEBP") else 0)


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 2), (9, 8, 3), (9, 8, 4)])
def test_pngs_of_16_bits_lose_nothing(shape):
    pixels = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    pixels = pixels.reshape(9, 8, -1)
    found = read_picture(tf.io.encode_png(pixels).numpy(), MOST)
    assert found.pixels.dtype == np.uint16
    np.testing.assert_array_equal(found.pixels, pixels)
    assert found.limits == (0, 65535)
    with pytest.raises(ValueError, match=r"^more pixels than max_pixels=71$"):
        read_picture(tf.io.encode_png(pixels).numpy(), 71)


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_avif_and_heic_as_pillow_reads_them(kind, mode):
    contents = encoded(PHOTOGRAPH.convert(mode), kind)
    opened = (
        pillow_heif.open_heif(io.BytesIO(contents)).to_pillow()
        if kind == "HEIC"
        else Image.open(io.BytesIO(contents))
    )
    found = read_picture(contents, MOST)
    np.testing.assert_array_equal(found.pixels.squeeze(), np.asarray(opened))
    assert found.pixels.shape[:2] == (48, 60)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_exif_says(kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    image = PHOTOGRAPH.convert("RGB")
    contents = encoded(image, kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(contents))))
    np.testing.assert_array_equal(read_picture(contents, MOST).pixels, expected)
    assert expected.shape[:2] == ((48, 60) if orientation < 5 else (60, 48))


def test_a_heic_is_turned_once():
    exif = Image.Exif()
    exif[274] = 6
    contents = encoded(PHOTOGRAPH.convert("RGB"), "HEIC", exif=exif.tobytes())
    expected = np.asarray(PHOTOGRAPH.convert("RGB"))
    found = read_picture(contents, MOST).pixels
    opened = np.asarray(pillow_heif.open_heif(io.BytesIO(contents)).to_pillow())
    np.testing.assert_array_equal(found, opened)
    assert found.shape in (expected.shape, (60, 48, 3))


@pytest.mark.parametrize("kind", ["AVIF", "HEIC", "JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_refused_before_it_is_decoded_or_cut(kind):
    contents = encoded(PHOTOGRAPH.convert("RGB"), kind)
    assert read_picture(contents, 48 * 60).pixels.shape == (48, 60, 3)
    with pytest.raises(ValueError, match=rf"^more pixels than max_pixels={48 * 60 - 1}$"):
        read_picture(contents, 48 * 60 - 1)
    for end in (9, 40, len(contents) // 2):
        with pytest.raises(ValueError, match=r"\S"):
            read_picture(contents[:end], MOST)

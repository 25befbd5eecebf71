"""What a stranger may send: a clear error for the request, and the next one is answered."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import encoded
from PIL import Image

pytestmark = pytest.mark.long

PIXELS = np.random.default_rng(5).integers(0, 256, (20, 30, 3), dtype="uint8")
JPEG, PNG = encoded(PIXELS), encoded(PIXELS, "PNG")


def empty_png(height, width):
    """A PNG of a few bytes whose header claims a size; the rest is missing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    checksum = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + checksum


def jpeg_of(height, width):
    """A JPEG whose header claims a size; its pixels would have to be decoded to see the lie."""
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


BAD = {
    "no image": (b"GIF89a and more bytes than a header", r"\[0\] \[is not a JPEG or PNG image"),
    "nothing": (b"", r"not a JPEG or PNG image; its length is\] \[0\]"),
    "the start of a PNG": (PNG[:20], r"not a JPEG or PNG image; its length is\] \[20\]"),
    "the start of a JPEG": (JPEG[:200], "Invalid JPEG data"),
    "half a JPEG": (JPEG[: len(JPEG) // 2], "JPEG"),
    "half a PNG": (PNG[: len(PNG) // 2], "PNG"),
    "a huge JPEG": (jpeg_of(10_000, 10_000), r"\[10000 10000\].*may have\] \[33554432\] \[pixels"),
    "a huge PNG": (empty_png(10_000, 9_000), r"\[10000 9000\].*may have\] \[33554432\] \[pixels"),
    "a PNG without a size": (empty_png(0, 9_000), r"\[0 9000\].*may have"),
    "an overflowing PNG": (empty_png(2**31 + 1, 2**31 + 1), r"\[-2147483647 -2147483647\]"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("signature", ["serving_default", "embed"])
def test_a_bad_image_is_an_error_and_the_next_request_is_answered(exports, name, signature):
    served = exports["classes"].served
    contents, message = BAD[name]
    before = served.predict([JPEG], signature=signature)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.predict([contents], signature=signature)
    after = served.predict([JPEG], signature=signature)
    for output, value in before.items():
        np.testing.assert_array_equal(value, after[output])


def test_an_empty_batch_gives_empty_outputs(exports):
    served = exports["classes"].served
    for request in ({"image_bytes": []}, {"images": np.zeros((0, 16, 24, 3), "uint8")}):
        answer = served.predict(**request)
        assert answer["probabilities"].shape == answer["classes"].shape == (0, 3)


def test_images_of_another_shape_are_refused(exports):
    served = exports["classes"].served
    # The second has as many numbers as an image should have.
    for shape in ((1, 16, 16, 3), (1, 24, 16, 3)):
        message = rf"\[{','.join(map(str, shape))}\] is not compatible.*\[\?,16,24,3\]"
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            served.predict(images=np.zeros(shape, "uint8"))


def same(export, contents, pixels):
    """Whether a file is served as these pixels are."""
    files = export.served.predict([contents])["probabilities"]
    return np.allclose(
        files, export.served.predict(images=pixels[None])["probabilities"], atol=1e-6
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_grey_files_become_three_equal_channels(exports, kind):
    pixels = np.full((16, 24), 77, "uint8")
    colour = np.repeat(pixels[..., None], 3, axis=-1)
    assert same(exports["classes"], encoded(pixels, kind), colour)
    assert not same(exports["classes"], encoded(pixels, kind), colour + 9)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_colour_files_become_their_luma_for_a_grey_model(exports, kind):
    colour = np.full((16, 16, 3), (200, 100, 50), "uint8")
    luma = np.full((16, 16, 1), 124, "uint8")
    # JPEG's own colours are one off the given ones.
    assert same(exports["classifier"], encoded(colour, kind, subsampling=0, quality=100), luma)
    assert not same(exports["classifier"], encoded(colour, kind), luma + 9)


def test_alpha_is_dropped_and_palettes_are_looked_up(exports):
    colour = np.full((16, 24, 3), (200, 100, 50), "uint8")
    half = np.dstack([colour, np.full((16, 24), 128, "uint8")])
    assert same(exports["classes"], encoded(half, "PNG"), colour)
    palette = np.array(Image.fromarray(colour).quantize(4).convert("RGB"))
    file = io.BytesIO()
    Image.fromarray(colour).quantize(4).save(file, "PNG")
    assert same(exports["classes"], file.getvalue(), palette)


def test_cmyk_becomes_rgb(exports):
    colour = np.full((16, 24, 3), (200, 100, 50), "uint8")
    contents = encoded(colour, "JPEG", "CMYK", quality=100)
    shown = tf.io.decode_jpeg(contents, channels=3).numpy()
    assert np.abs(shown.astype(int) - colour).max() <= 2
    assert same(exports["classes"], contents, shown)

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_simmim.data.geometry.boxes import whole_box
from keras_simmim.data.reading.encoded_image import EncodedImage

pytestmark = pytest.mark.any_backend

COLOR = (200, 100, 50)
GRAY = 124  # the luma of COLOR


def encoded(mode="RGB", kind="PNG", **options):
    image = Image.new("RGB", (10, 8), COLOR)
    # Pillow's plain conversion to a palette dithers.
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def whole(contents, channels=3):
    image = EncodedImage.open(contents, channels)
    return image.part(whole_box(image.shape))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("RGB", "JPEG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "GIF"),
        ("RGB", "BMP"),
        ("RGBA", "BMP"),
        ("L", "BMP"),
        ("RGB", "WEBP"),
        ("RGBA", "WEBP"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_format_and_mode(mode, kind, channels):
    image = whole(encoded(mode, kind), channels)
    assert image.shape == (8, 10, channels)
    assert image.dtype == tf.uint8
    is_gray = mode in ("L", "LA") or channels == 1
    expected = GRAY if is_gray else COLOR
    assert np.abs(image.numpy().astype(int) - expected).max() <= 4


def test_box_of_every_format_is_the_same():
    pixels = np.linspace(0, 255, 40 * 30).reshape(30, 40).astype(np.uint8)
    for kind, options in (("PNG", {}), ("BMP", {}), ("JPEG", {"quality": 100})):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        image = EncodedImage.open(file.getvalue(), 1).part(tf.constant([3, 5, 7, 11]))
        assert np.abs(image[..., 0].numpy().astype(int) - pixels[3:10, 5:16]).max() <= 2, kind


def test_16_bits_are_scaled():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    expected = np.floor(values / 257 + 0.5)
    np.testing.assert_array_equal(whole(file.getvalue(), 1)[..., 0], expected)
    np.testing.assert_array_equal(whole(file.getvalue(), 3)[..., 2], expected)


def test_first_frame_of_an_animated_gif():
    frames = [Image.new("RGB", (10, 8), color) for color in (COLOR, (0, 0, 255))]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert np.abs(whole(file.getvalue()).numpy().astype(int) - COLOR).max() <= 4


def test_animated_webp_is_refused():
    file = io.BytesIO()
    Image.new("RGB", (10, 8)).save(
        file, "WEBP", save_all=True, append_images=[Image.new("RGB", (10, 8), COLOR)]
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="animated WebP is not supported"):
        whole(file.getvalue())


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_with_bytes_after_its_end(mode):
    contents = encoded(mode, "JPEG")
    difference = whole(contents + b"\0" * 16).numpy().astype(int) - whole(contents)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.1, 0.6])
def test_truncated_files_are_refused(kind, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    contents = file.getvalue()[: int(kept * file.tell())]
    with pytest.raises(tf.errors.OpError):
        # The box lies above the cut.
        EncodedImage.open(contents, 3).part(tf.constant([0, 0, 4, 4]))

"""A JPEG is looked at as its EXIF says, whole and in part."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_simmim import data
from keras_simmim.data.geometry.boxes import whole_box
from keras_simmim.data.reading.encoded_image import EncodedImage

pytestmark = pytest.mark.any_backend

SMOOTH = np.add.outer(4 * np.arange(24), 2 * np.arange(40)).astype(np.uint8)
PHOTOGRAPH = np.stack([SMOOTH, SMOOTH[::-1], SMOOTH[:, ::-1]], axis=-1)


def with_orientation(orientation, order="II", tags=(0x010F, 0x0112, 0x011A), jfif=False):
    """The bytes of a JPEG whose EXIF is written by hand, and the pixels that Pillow gives."""
    little = order == "II"

    def number(value, count):
        return value.to_bytes(count, "little" if little else "big")

    entries = b"".join(
        number(tag, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + b"\0\0"
        for tag in tags
    )
    tiff = order.encode() + number(42, 2) + number(8, 4) + number(len(tags), 2) + entries
    exif = b"Exif\0\0" + tiff + b"\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    file = io.BytesIO()
    Image.fromarray(PHOTOGRAPH).save(file, "JPEG", quality=95, subsampling=0)
    contents = file.getvalue()
    start = 20 if jfif else 2  # behind Pillow's JFIF header of 18 bytes
    contents = contents[:start] + segment + contents[start:]
    return contents, np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(contents))))


def boxed(contents, box=None):
    image = EncodedImage.open(contents, 3)
    return image.part(whole_box(image.shape) if box is None else tf.constant(box)).numpy()


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_whole_and_cropped(orientation, order):
    contents, expected = with_orientation(orientation, order, jfif=order == "MM")
    assert expected.shape == ((40, 24, 3) if orientation >= 5 else (24, 40, 3))
    assert np.abs(boxed(contents).astype(int) - expected).max() <= 2
    top, left, height, width = box = [3, 5, 9, 14]
    part = expected[top : top + height, left : left + width].astype(int)
    assert np.abs(boxed(contents, box) - part).max() <= 4
    # Without its end mark a JPEG is decoded as a whole first.
    assert np.abs(boxed(contents + b"\0", box) - part).max() <= 4


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_what_is_no_orientation_turns_nothing(orientation):
    contents, _ = with_orientation(orientation)
    assert np.abs(boxed(contents).astype(int) - PHOTOGRAPH).max() <= 12


def test_damaged_exif_turns_nothing():
    contents, _ = with_orientation(6)
    start = contents.index(b"Exif")
    for place, value in ((6, b"XX"), (10, b"\xff\xff\xff\x7f"), (14, b"\xff\xff")):
        damaged = bytearray(contents)
        damaged[start + place : start + place + len(value)] = value
        assert boxed(bytes(damaged)).shape in ((24, 40, 3), (40, 24, 3))
    assert boxed(with_orientation(6, tags=(0x010F,))[0]).shape == (24, 40, 3)


def test_a_folder_shows_them_upright(tmp_path):
    contents, expected = with_orientation(6)
    (tmp_path / "portrait.jpg").write_bytes(contents)
    image = next(iter(data.image_folder(tmp_path, (40, 24), training=False)))[0]
    assert np.abs(image.numpy().astype(int) - expected).max() <= 2

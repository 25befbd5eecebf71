"""EXIF is found wherever a JPEG, PNG or WebP keeps it, and what only looks like it is not."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import encoded
from PIL import Image, ImageOps

from keras_simmim import data
from keras_simmim.data.geometry.boxes import whole_box
from keras_simmim.data.reading.encoded_image import EncodedImage
from keras_simmim.data.reading.exif import BLOCKS, stated_orientation

pytestmark = [pytest.mark.any_backend, pytest.mark.long]

SMOOTH = np.add.outer(4 * np.arange(24), 2 * np.arange(40)).astype(np.uint8)
PHOTOGRAPH = np.stack([SMOOTH, SMOOTH[::-1], SMOOTH[:, ::-1]], axis=-1)
LOSSLESS = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}


def exif(orientation):
    tags = Image.Exif()
    tags[0x010F], tags[0x0112] = "camera", orientation
    return tags.tobytes()


def segment(marker, contents):
    return bytes([0xFF, marker]) + struct.pack(">H", len(contents) + 2) + contents


def chunk(kind, contents):
    crc = zlib.crc32(kind + contents)
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", crc)


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>")
COMMENT = segment(0xFE, b"a comment, Exif or not")
PROFILE = segment(0xE2, b"ICC_PROFILE\0\1\2" + bytes(3000))
ADOBE = segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
BEFORE = {
    "nothing": b"",
    "JFIF": JFIF,
    "XMP": XMP,
    "comment": JFIF + COMMENT,
    "profile in parts": JFIF + PROFILE + PROFILE,
    "JFIF with a thumbnail": segment(0xE0, JFIF[4:-2] + b"\1\1" + b"rgb"),
    "all": JFIF + XMP + COMMENT + PROFILE + ADOBE,
    "much": JFIF + 9 * segment(0xE2, bytes(65533)),
    "fill bytes": JFIF + b"\xff\xff\xff",
}


def upright(contents):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(contents))).convert("RGB"))


def read(contents, box=None):
    image = EncodedImage.open(contents, 3)
    pixels = image.part(whole_box(image.shape) if box is None else tf.constant(box))
    return pixels.numpy().astype(int)


def bare_jpeg():
    """A JPEG from its tables on."""
    return encoded(PHOTOGRAPH, **LOSSLESS["JPEG"])[20:]


@pytest.mark.parametrize("before", BEFORE)
def test_jpeg_whatever_is_before_it(before):
    for orientation in (1, 6):
        found = BEFORE[before] + segment(0xE1, exif(orientation))
        contents = b"\xff\xd8" + found + bare_jpeg()
        assert np.abs(read(contents) - upright(contents)).max() <= 2
    box = [3, 5, 9, 14]
    assert np.abs(read(contents, box) - upright(contents)[3:12, 5:19]).max() <= 4


def test_jpeg_with_it_behind_the_first_table():
    contents = b"\xff\xd8" + JFIF + bare_jpeg()
    end = 20 + 2 + int.from_bytes(contents[22:24], "big")
    contents = contents[:end] + segment(0xE1, exif(3)) + contents[end:]
    assert np.abs(read(contents) - upright(contents)).max() <= 2
    assert np.abs(read(contents) - PHOTOGRAPH).max() > 50


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_png_and_webp_exactly(kind, orientation):
    contents = encoded(PHOTOGRAPH, kind, exif=exif(orientation), **LOSSLESS.get(kind, {}))
    expected = upright(contents)
    assert expected.shape == ((40, 24, 3) if orientation >= 5 else (24, 40, 3))
    np.testing.assert_array_equal(read(contents), expected)
    np.testing.assert_array_equal(read(contents, [3, 5, 9, 14]), expected[3:12, 5:19])


@pytest.mark.parametrize("kind", ["L", "P", "RGBA", "deep"])
def test_png_with_it_behind_the_pixels(kind):
    pixels = PHOTOGRAPH[..., 0].astype(np.uint16) * 257 if kind == "deep" else PHOTOGRAPH
    contents = encoded(pixels, "PNG", mode=None if kind == "deep" else kind)
    contents = contents[:-12] + chunk(b"eXIf", exif(6)[6:]) + contents[-12:]
    expected = upright(contents) if kind != "deep" else np.rot90(PHOTOGRAPH[..., :1], -1)
    np.testing.assert_array_equal(read(contents), np.broadcast_to(expected, (40, 24, 3)))


def test_webp_with_the_mark_of_a_jpeg():
    contents = encoded(PHOTOGRAPH, "WEBP", exif=exif(6), lossless=True)
    start = contents.index(b"EXIF")
    marked = b"EXIF" + struct.pack("<I", len(exif(6))) + exif(6)
    marked = contents[:start] + marked + b"\0" * (len(marked) % 2)
    marked = marked[:4] + struct.pack("<I", len(marked) - 8) + marked[8:]
    np.testing.assert_array_equal(read(marked), np.rot90(PHOTOGRAPH, -1))


@pytest.mark.parametrize("order", ["II", "MM"])
def test_a_long_number_is_one_too(order):
    pack = "<" if order == "II" else ">"
    entry = struct.pack(pack + "HHII", 0x0112, 4, 1, 6)
    tiff = order.encode() + struct.pack(pack + "HIH", 42, 8, 1) + entry + bytes(4)
    contents = encoded(PHOTOGRAPH, "PNG", exif=b"Exif\0\0" + tiff)
    np.testing.assert_array_equal(read(contents), upright(contents))
    assert read(contents).shape == (40, 24, 3)


def test_what_looks_like_it_is_not_it():
    whole = segment(0xE1, exif(6))
    jpeg = b"\xff\xd8" + JFIF + segment(0xFE, whole) + segment(0xE2, whole) + bare_jpeg()
    assert np.abs(read(jpeg) - PHOTOGRAPH).max() <= 12
    second = encoded(PHOTOGRAPH, "JPEG", exif=exif(6))
    assert read(encoded(PHOTOGRAPH) + second).shape == (24, 40, 3)
    png = encoded(PHOTOGRAPH, "PNG")
    text = chunk(b"zzZz", chunk(b"eXIf", exif(6)[6:]))
    np.testing.assert_array_equal(read(png[:33] + text + png[33:]), PHOTOGRAPH)
    np.testing.assert_array_equal(read(png + chunk(b"eXIf", exif(6)[6:])), PHOTOGRAPH)


def test_damage_ends_the_search():
    find = tf.function(stated_orientation, input_signature=[tf.TensorSpec((), tf.string)])
    jpeg = b"\xff\xd8" + JFIF + COMMENT + segment(0xE1, exif(6)) + bare_jpeg()
    png, webp = (encoded(PHOTOGRAPH, kind, exif=exif(6)) for kind in ("PNG", "WEBP"))
    for contents, start in ((jpeg, 20), (png, 33), (webp, webp.index(b"EXIF"))):
        assert int(find(contents)) == 6
        for place in range(start, start + 60):
            for value in (0, 0xFF):
                damaged = contents[:place] + bytes([value]) + contents[place + 1 :]
                assert 1 <= int(find(damaged)) <= 8
            assert 1 <= int(find(contents[:place])) <= 8
    many = b"\xff\xd8" + BLOCKS * segment(0xFE, b"") + segment(0xE1, exif(6))
    assert int(find(many)) == 1
    assert int(find(b"\xff\xd8" + many[6:])) == 6
    assert int(find(b"\xff\xd8" + b"\xff" * 10**6)) == 1
    for contents in (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X"):
        assert int(find(contents)) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_folder_shows_them_upright(tmp_path, kind):
    contents = encoded(PHOTOGRAPH, kind, exif=exif(6), **LOSSLESS.get(kind, {}))
    if kind == "JPEG":
        contents = contents[:2] + COMMENT + contents[2:]
    (tmp_path / "portrait.png").write_bytes(contents)
    image = next(iter(data.image_folder(tmp_path, (40, 24), training=False)))[0]
    assert np.abs(image.numpy().astype(int) - upright(contents)).max() <= 2

"""The numbers in a PNG of classes, whichever way it keeps them."""

import zlib

import numpy as np
import pytest
from encoded_images import encoded
from PIL import Image

from keras_simmim.data.reading.mask_file import read_mask

pytestmark = pytest.mark.any_backend

CLASSES = np.random.default_rng(0).integers(0, 4, (6, 10)).astype(np.uint8)


def png(bits, kind, rows):
    """A PNG written by hand: its header, its rows without filters, its end."""

    def chunk(name, content):
        body = name + content
        return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    head = b"".join(side.to_bytes(4, "big") for side in (10, 6)) + bytes([bits, kind, 0, 0, 0])
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def packed(values, bits):
    """Rows of numbers of so many bits each, as PNG packs them."""
    digits = np.unpackbits(values[..., None], axis=-1)[..., -bits:]
    return [row.tobytes() for row in np.packbits(digits.reshape(len(values), -1), axis=1)]


def with_palette():
    image = Image.frombytes("P", (10, 6), CLASSES.tobytes())
    # Two classes of one color: the color does not tell them apart.
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 255] + [0] * 756)
    return image


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_gray_of_few_bits_holds_its_numbers(tmp_path, bits):
    values = CLASSES % min(2**bits, 4)
    (tmp_path / "mask.png").write_bytes(png(bits, 0, packed(values, bits)))
    mask = read_mask(str(tmp_path / "mask.png"), (6, 10))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, values)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_palette_holds_indices_and_no_colors(tmp_path, bits):
    with_palette().save(tmp_path / "mask.png", bits=bits)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", (6, 10)), CLASSES)


def test_gray_of_16_bits_and_with_alpha(tmp_path):
    path = tmp_path / "mask.png"
    deep = CLASSES.astype(np.uint16) + 250
    Image.fromarray(deep).save(path)
    np.testing.assert_array_equal(read_mask(path, (6, 10)), deep)
    Image.fromarray(deep + 50).save(path)
    with pytest.raises(ValueError, match="holds the number 303: classes are from 0 to 255"):
        read_mask(path, (6, 10))
    path.write_bytes(encoded(CLASSES, "PNG", "LA"))
    np.testing.assert_array_equal(read_mask(path, (6, 10)), CLASSES)


def test_a_mask_is_turned_as_its_own_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "mask.png"
    path.write_bytes(encoded(CLASSES, "PNG", exif=exif))
    np.testing.assert_array_equal(read_mask(path, (10, 6)), np.rot90(CLASSES, -1))
    with pytest.raises(ValueError, match=r"of 10×6 pixels .* the image of 6×10"):
        read_mask(path, (6, 10))


@pytest.mark.parametrize(
    ("contents", "match"),
    [
        (b"", "is no PNG"),
        (b"\x89PNG\r\n\x1a\n", "is no PNG"),
        (encoded(CLASSES), "is no PNG"),
        (encoded(CLASSES, "PNG", "RGB"), "is of colors: a number a pixel is needed"),
        (encoded(CLASSES[:, :9], "PNG"), "of 6×9 pixels .* the image of 6×10 as it is looked at"),
        (encoded(CLASSES, "PNG")[:50], "cannot be read: "),
        (png(8, 0, [b"\0" * 10])[:-30] + b"\xff" * 30, "cannot be read: "),
    ],
)
def test_what_is_no_mask_says_why(tmp_path, contents, match):
    (tmp_path / "mask.png").write_bytes(contents)
    with pytest.raises(ValueError, match=match):
        read_mask(tmp_path / "mask.png", (6, 10))

"""16-bit files whose values fill a part of their range are noticed, and read with it."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_simmim import data

pytestmark = [pytest.mark.any_backend, pytest.mark.long]


@pytest.fixture
def deep_folder(tmp_path):
    """Make 16-bit PNGs of 8×8 pixels, dark but for one pixel of these values."""

    def make(*largest):
        for number, value in enumerate(largest):
            pixels = np.full((8, 8), min(value, 5), np.uint16)
            pixels[3, 4] = value
            Image.fromarray(pixels).save(tmp_path / f"{number:02d}.png")
        return tmp_path

    return make


@pytest.fixture
def messages(caplog):
    def of(*arguments, read=False, **options):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "keras_simmim"):
            dataset = data.image_folder(*arguments, **options)
            if read:
                list(dataset)
        return [record.getMessage() for record in caplog.records]

    return of


@pytest.mark.parametrize(
    ("largest", "bits"), [(1, 8), (255, 8), (256, 10), (4012, 12), (4095, 12), (16383, 14)]
)
def test_a_dark_data_set_is_noticed_once(deep_folder, messages, largest, bits):
    folder = deep_folder(0, largest, largest - 1)
    assert messages(folder, 8, read=largest == 4012) == [
        f"16-bit images will be dark: of 3 looked at the largest value is {largest}, of 65535, in "
        f"{str(folder / '01.png')!r}. If they hold {bits} bits, pass "
        f"value_range=(0, {2**bits - 1})."
    ]


@pytest.mark.parametrize("largest", [(3, 4095, 16384), (0, 0), (65535,)])
def test_a_bright_file_among_them_or_nothing_to_see_is_no_news(deep_folder, messages, largest):
    assert messages(deep_folder(*largest), 8) == []


def test_few_of_many_files_are_looked_at_from_first_to_last(deep_folder, messages):
    Image.new("RGB", (8, 8)).save(deep_folder(*[100] * 40) / "a.jpg")
    assert "of 8 looked at" in messages(deep_folder(), 8)[0]
    assert messages(deep_folder(*[100] * 39, 65535), 8) == []


def test_alpha_is_no_brightness_and_broken_files_are_no_news(deep_folder, messages):
    folder = deep_folder(0)
    pixels = np.full((8, 8, 4), 700, np.uint16)
    pixels[..., 3] = 65535
    (folder / "00.png").write_bytes(tf.io.encode_png(pixels).numpy())
    (folder / "01.png").write_bytes((folder / "00.png").read_bytes()[:60])
    (folder / "02.png").symlink_to("nowhere.png")
    found = messages(folder, 8, read=True)
    assert sum("largest value is 700" in message for message in found) == 1
    assert sum("Skipped the broken image" in message for message in found) == 2


def test_a_range_becomes_0_to_255_and_8_bits_stay(tmp_path, messages):
    values = np.arange(0, 8192, 2, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / "0.png")
    gray = (values // 32).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "1.png")
    for value_range in ((0, 4095), (100.5, 5000)):
        low, high = value_range
        options = {"channels": 1, "value_range": value_range, "training": False}
        deep, plain = next(iter(data.image_folder(tmp_path, 64, **options)))[..., 0].numpy()
        expected = np.clip((values - np.float64(low)) / (high - low), 0, 1) * 255
        assert deep.dtype == np.float32
        np.testing.assert_array_equal(deep, expected.astype(np.float32))
        np.testing.assert_array_equal(plain, gray)
        assert messages(tmp_path, 64, **options) == []


def test_a_range_without_16_bits_does_nothing_and_says_so(colored_folder, messages):
    assert messages(colored_folder(3), 8, value_range=(0, 4095)) == [
        "value_range=(0.0, 4095.0) is for files of more than 8 bits, and none of the 3 files "
        "looked at is one."
    ]

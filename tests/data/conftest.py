"""Folders of small images, each of one colour, so that a view tells which image it is from."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

# The reader is a graph of TensorFlow's whatever Keras computes on. What meets Keras in the others,
# and examples/train.py on a folder, run on every backend.
READER = {"boxes", "broken", "decoding", "drawing", "folder", "gaps", "limits", "orientation"}
READER |= {"split", "tfds"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if keras.backend.backend() == "tensorflow":
        return
    skip = pytest.mark.skip(reason="the reader is the same graph on every backend: on TensorFlow")
    for item in items:
        if item.path.stem.removeprefix("test_data_") in READER:
            item.add_marker(skip)


@pytest.fixture
def coloured_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes `count` PNGs; image i is grey of the value 10 * (i + 1), 24 pixels high, 32 wide."""

    def make(count: int = 10, classes: tuple[str, ...] = ("",)) -> Path:
        for number in range(count):
            folder = tmp_path / "images" / classes[number % len(classes)]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = np.full((24, 32, 3), 10 * (number + 1), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:02d}.png")
        return tmp_path / "images"

    return make


@pytest.fixture
def textured_images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, 24, 32, 3), dtype=np.uint8)

"""Folders of small images, each of one color, so that a crop tells which image it is from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def colored_folder(tmp_path: Path) -> Callable[..., Path]:
    """Make `count` PNGs; image i is gray of the value 10 * (i + 1), 24 pixels high, 32 wide."""

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

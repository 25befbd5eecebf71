"""The benchmarks' images: crops of photographs, photographs of solar cells, and satellite tiles.

All come with Python packages. What is prepared here is kept in benchmarks/.cache, so that the
benchmarks also run on machines without those packages.
"""

from pathlib import Path

import climate
import numpy as np
from PIL import Image

CACHE = Path(__file__).parent / ".cache"
SIDE = 32  # pixels
CELL_LABELS = {"cells": "mono or poly", "defects": "functional or defective"}


def photographs() -> dict[str, np.ndarray]:
    """Ten colour photographs, uint8 (H, W, 3), of scikit-image and scikit-learn."""
    from skimage import data, io
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    motorcycle = io.imread(Path(data.__file__).parent / "motorcycle_left.png")
    return {
        "astronaut": data.astronaut(),
        "chelsea": data.chelsea(),
        "china": china,
        "coffee": data.coffee(),
        "flower": flower,
        "hubble": data.hubble_deep_field(),
        "immunohistochemistry": data.immunohistochemistry(),
        "motorcycle": motorcycle[..., :3],
        "retina": data.retina(),
        "rocket": data.rocket(),
    }


def color_crops() -> tuple[np.ndarray, ...]:
    """Crops of 48 to 128 pixels at 32², the class being the photograph.

    Train crops come from the left half of each photograph, test crops from the right one.
    """
    generator = np.random.default_rng(0)
    parts: dict[str, list] = {"train": [], "test": []}
    for label, photograph in enumerate(photographs().values()):
        half = photograph.shape[1] // 2
        for name, image, count in (
            ("train", photograph[:, :half], 200),
            ("test", photograph[:, half:], 100),
        ):
            for _ in range(count):
                side = int(generator.integers(48, 128))
                top = int(generator.integers(0, image.shape[0] - side))
                left = int(generator.integers(0, image.shape[1] - side))
                crop = Image.fromarray(image[top : top + side, left : left + side])
                crop = np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BOX))
                parts[name].append((crop, label))
    return tuple(
        np.array([pair[index] for pair in parts[name]])
        for name in ("train", "test")
        for index in (0, 1)
    )


def solar_cells(side: int, name: str) -> tuple[np.ndarray, ...]:
    """Grey cells at side², labelled by their type ("cells") or as defective or not ("defects").

    Every fifth of 40 stretches of files is test.
    """
    from elpv_dataset.utils import load_dataset

    images, defects, types = load_dataset()
    small = [
        np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX))
        for image in images
    ]
    images, labels = np.array(small)[..., None], np.unique(types, return_inverse=True)[1]
    if name == "defects":
        labels = (defects > 0.5).astype(labels.dtype)
    test = np.arange(len(images)) * 40 // len(images) % 5 == 4
    return images[~test], labels[~test], images[test], labels[test]


def load(name: str, side: int = SIDE) -> tuple[np.ndarray, ...]:
    """Give train images and labels, test images and labels.

    Args:
        name: "color", "cells", "defects", "climate 5" or "climate 20".
        side: Pixels of the cells. The others have 32.
    """
    stem = name.replace(" ", "-")
    path = CACHE / (f"{stem}.npz" if side == SIDE else f"{stem}-{side}.npz")
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        if name.startswith("climate"):
            if side != SIDE:
                raise ValueError(f"Climate tiles have {SIDE} pixels a side, not {side}.")
            *arrays, unlabeled_tiles = climate.climate_tiles(int(name.split()[1]))
            np.savez(CACHE / "climate-unlabeled.npz", unlabeled_tiles)
        else:
            arrays = color_crops() if name == "color" else solar_cells(side, name)
        np.savez(path, *arrays)
    with np.load(path) as arrays:
        return tuple(arrays[f"arr_{index}"] for index in range(4))


def unlabeled(name: str, side: int = SIDE) -> np.ndarray:
    """Give all images to pretrain on: the train images, or the climates' unlabeled tiles.

    The unlabeled tiles are the same for 5 and for 20 classes and cover the train tiles' places.
    """
    images = load(name, side)[0]
    if not name.startswith("climate"):
        return images
    with np.load(CACHE / "climate-unlabeled.npz") as arrays:
        return arrays["arr_0"]

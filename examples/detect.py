"""Find objects in images, on features pretrained from images without labels.

python examples/detect.py                                     # tree crowns from above
python examples/detect.py --detector ssd --compare-scratch    # another, also from scratch
python examples/detect.py --model runs/mine                   # on a run's network
python examples/detect.py --data photos_and_xmls              # your own, as Pascal VOC has it
python examples/detect.py --data photos --coco boxes.json     # … or as COCO has it
"""

import argparse
import os
import sys
import time
import xml.etree.ElementTree as ET
from importlib import metadata
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from PIL import Image

import keras_simmim as ks

DETECTORS = {"yolo": ks.YOLO, "ssd": ks.SSD, "faster_rcnn": ks.FasterRCNN}
# Photographs with the boxes of their trees; the last one is held out as a whole.
PHOTOGRAPHS = (
    "2019_YELL_2_528000_4978000_image_crop2",
    "2019_YELL_2_541000_4977000_image_crop",
    "SOAP_061",
    "OSBS_029",
)
PATCH = 8  # pixels
NECK = 64  # channels of the levels
TILE = 200  # pixels of a photograph
BLOCK = 2  # tiles; blocks are held out as a whole
HELD_OUT = 4  # one of so many blocks
MOST_BOXES = 32


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Detect objects on pretrained features.")
    parser.add_argument("--data", type=Path, help="folder of images; default: tree crowns")
    parser.add_argument(
        "--coco", type=Path, help="JSON of their boxes; default: an XML beside each"
    )
    parser.add_argument("--detector", default="yolo", choices=DETECTORS)
    parser.add_argument("--image-size", type=int, default=128, help=f"divisible by {PATCH}")
    parser.add_argument("--model", help="a run's folder or .keras file, instead of pretraining")
    parser.add_argument("--pretrain-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--compare-scratch", action="store_true")
    parser.add_argument("--output", type=Path, help="default: runs/<time>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--distribute", action="store_true", help="on all devices, see docs")
    options = parser.parse_args()
    if options.coco is not None and options.data is None:
        parser.error("--coco needs --data, the folder of its images")
    if options.image_size < PATCH or options.image_size % PATCH:
        parser.error(f"--image-size must be divisible by {PATCH}, got {options.image_size}")
    options.output = options.output or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    return options


def photograph(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a photograph, and the boxes of its trees: left, top, right, bottom."""
    try:
        files = metadata.distribution("deepforest")
    except metadata.PackageNotFoundError:
        sys.exit("The default images come with a package: pip install --no-deps deepforest==2.1.0")
    with Image.open(files.locate_file(f"deepforest/data/{name}.png")) as image:
        pixels = np.asarray(image.convert("RGB"))
    found = ET.parse(files.locate_file(f"deepforest/data/{name}.xml")).iter("bndbox")
    sides = ("xmin", "ymin", "xmax", "ymax")
    boxes = [[float(box.findtext(side)) for side in sides] for box in found]
    return pixels, np.array(boxes, "float32") - (1, 1, 0, 0)


def tiles(pixels: np.ndarray, boxes: np.ndarray, step: int) -> tuple[np.ndarray, dict, np.ndarray]:
    """Cut a photograph into tiles, with the boxes of which they show half, and their blocks."""
    images, kept, blocks = [], [], []
    for top in range(0, pixels.shape[0] - TILE + 1, step):
        for left in range(0, pixels.shape[1] - TILE + 1, step):
            moved = boxes - (left, top, left, top)
            seen = moved.clip(0, TILE)
            areas = [np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (seen, moved)]
            found = seen[areas[0] >= 0.5 * areas[1]][:MOST_BOXES]
            images.append(pixels[top : top + TILE, left : left + TILE])
            kept.append(np.pad(found, ((0, MOST_BOXES - len(found)), (0, 0))))
            side = BLOCK * TILE
            ends = (top // side, left // side, (top + TILE - 1) // side, (left + TILE - 1) // side)
            # A tile that reaches into two blocks belongs to none.
            whole = ends[:2] == ends[2:]
            blocks.append(ends[0] * 1000 + ends[1] if whole else -1)
    boxes = np.array(kept, "float32")
    labels = np.where(boxes[..., 2] > 0, 0, -1).astype("int32")
    return np.array(images), {"boxes": boxes, "labels": labels}, np.array(blocks)


def with_boxes(images: np.ndarray, truth: dict, chosen: np.ndarray) -> tuple:
    """Choose tiles, of them those with a box: where there is none, nobody may have looked."""
    chosen = chosen & (truth["labels"] == 0).any(1)
    return images[chosen], {name: values[chosen] for name, values in truth.items()}


def tree_crowns() -> tuple:
    """Return unlabeled tiles, tiles to learn from, held-out blocks, and a held-out photograph."""
    unlabeled, learned, held_out = [], [], []
    for name in PHOTOGRAPHS[:-1]:
        pixels, boxes = photograph(name)
        images, truth, blocks = tiles(pixels, boxes, TILE // 2)
        is_held = blocks // 1000 * 2 + blocks % 1000
        is_held = (is_held % HELD_OUT == HELD_OUT - 1) & (blocks >= 0)
        unlabeled.append(images[~is_held & (blocks >= 0)])
        learned.append(with_boxes(images, truth, ~is_held & (blocks >= 0)))
        images, truth, blocks = tiles(pixels, boxes, TILE)
        is_held = (blocks // 1000 * 2 + blocks % 1000) % HELD_OUT == HELD_OUT - 1
        held_out.append(with_boxes(images, truth, is_held))
    images, truth, blocks = tiles(*photograph(PHOTOGRAPHS[-1]), TILE)
    other = with_boxes(images, truth, blocks >= 0)
    joined = keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *learned)
    held_out = keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *held_out)
    return np.concatenate(unlabeled), joined, held_out, other


def datasets(options: argparse.Namespace) -> tuple:
    """Return what to pretrain on, a data set to learn from, and sets to measure, by name."""
    size, seed = options.image_size, options.seed
    train = {"image_size": size, "batch_size": options.batch_size, "seed": seed}
    if options.data is None:
        unlabeled, (images, boxes), blocks, other = tree_crowns()
        crops = {"crop_scale": (0.3, 1.0)}
        learned = ks.data.from_arrays(images, boxes=boxes, **train, **crops)
        learned.class_names = ["tree"]
        plain = {"image_size": size, "batch_size": 64, "training": False}
        held_out = {"held-out blocks": blocks, "another photograph": other}
        held = {n: ks.data.from_arrays(i, boxes=b, **plain) for n, (i, b) in held_out.items()}
        return unlabeled, learned, held
    split, places = {**train, "validation_split": 0.2}, (options.coco, options.data)
    source = ks.data.coco if options.coco else ks.data.pascal_voc
    places = places if options.coco else places[1:]
    learned = source(*places, subset="training", **split)
    held_out = source(*places, subset="validation", training=False, **split)
    return options.data, learned, {"held-out images": held_out}


def detected(source, options: argparse.Namespace, learned, held_out: dict, name: str):
    """Fine-tune a detector, measure it on what is held out, and keep it."""
    keras.utils.set_random_seed(options.seed)
    detector = DETECTORS[options.detector].from_pretrained(
        source,
        len(learned.class_names),
        image_shape=(options.image_size, options.image_size, 3),
        neck_width=NECK,
        recipe="auto",
        seed=options.seed,
    )
    first = next(next(iter(held_out.values())).as_numpy_iterator())
    images, truth = keras.tree.map_structure(lambda values: values[:8], first)
    run = ks.pretraining.Run(options.output / f"detector-{name}", vars(options))
    dataset = ks.data.metered(learned)
    told = run.fit(detector, dataset, options.epochs, pictures=images, truth=truth)
    print(f"{name}: {learned.image_count} images, {told['steps']} steps, {told['seconds']:.0f} s.")
    told |= {"dataset": str(options.data or "tree crowns"), "seed": options.seed}
    for place, dataset in held_out.items():
        found = dict(ks.evaluation.DetectionQuality(dataset)(detector))
        told |= {f"{key} of {place}": value for key, value in found.items()}
        print(f"  {place}: " + ", ".join(f"{key} {value:.3f}" for key, value in found.items()))
    print(f"  Look at {run.finish(told)}.")
    return detector


def main() -> None:
    options = arguments()
    if options.distribute:
        ks.training.distribute().tell()
    print(f"Backend: {keras.backend.backend()}. Seed: {options.seed}.")
    try:
        unlabeled, learned, held_out = datasets(options)
    except (OSError, ValueError) as error:
        sys.exit(str(error).splitlines()[0])
    source = options.model or ks.pretrain(
        unlabeled,
        epochs=options.pretrain_epochs,
        image_size=options.image_size,
        patch_size=PATCH,
        output=options.output / "pretrained",
        seed=options.seed,
    )
    detector = detected(source, options, learned, held_out, "pretrained")
    if options.compare_scratch:
        fresh = type(detector.backbone).from_config(detector.backbone.get_config())
        scratch = ks.models.ImageModel(fresh, mean=detector.mean, std=detector.std)
        detected(scratch, options, learned, held_out, "scratch")


if __name__ == "__main__":
    main()

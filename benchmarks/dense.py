"""Do segmenters and detectors gain by pretraining? On the data of the examples for both.

python benchmarks/dense.py segment          # climate zones, all masks and a tenth of the blocks
python benchmarks/dense.py segment --only 0.1 --epochs 72     # a tenth of the blocks alone, longer
python benchmarks/dense.py segment --only 1.0 --epochs 55 --rates 3e-3      # all masks, longer
python benchmarks/dense.py detect           # tree crowns, three detectors
python benchmarks/dense.py table            # only prints what is there

Each seed pretrains once on the unlabeled tiles, and then fine-tunes with and without: the same
rates, steps and order. `--rates` are those of `recipe="auto"`, or one for all layers, as in
examples/segment.py, after a warm-up and falling to 0. Results go to benchmarks/results/dense.jsonl;
what is there is not run again.
The backend is Keras' own KERAS_BACKEND.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import detect
import segment

import keras_simmim as ks

RESULTS = Path(__file__).parent / "results" / "dense.jsonl"
CACHE = Path(__file__).parent / ".cache" / "dense"
# Whether the pretraining also reconstructs, beside finding crops again.
PRETRAINING = {"pretrained": False, "reconstructing": True}
ARMS = (*PRETRAINING, "from scratch")
EPOCHS = {1.0: 10, 0.1: 24, "yolo": 20, "ssd": 20, "faster_rcnn": 20}
VARIANTS = {"segment": (1.0, 0.1), "detect": tuple(detect.DETECTORS)}
SIZES = {"segment": segment.TILE, "detect": 128}
MEASURES = ("mean_iou", "mAP50", "mAP", "other mAP50")


def rows() -> list[dict]:
    return list(map(json.loads, RESULTS.read_text().splitlines())) if RESULTS.exists() else []


def pretrained(question: str, images: np.ndarray, arm: str, epochs: int, seed: int) -> ks.SimMIM:
    """The network after pretraining on all tiles without labels, from the cache if it is there."""
    reconstructs = PRETRAINING.get(arm, False)
    path = CACHE / f"{question}-{seed}-{epochs}{'-reconstructing' * reconstructs}.keras"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        model = ks.pretrain(
            images,
            epochs=epochs,
            reconstruct=reconstructs,
            image_size=SIZES[question],
            patch_size=segment.PATCH,
            seed=seed,
        )
        model.save(path)
    return keras.saving.load_model(path)


def backbone_of(source: ks.SimMIM, arm: str) -> ks.backbones.Backbone:
    """The pretrained network, or one of the same making without what it learned."""
    if arm in PRETRAINING:
        return source
    fresh = source.backbone.for_task()
    return type(fresh).from_config(fresh.get_config())


def fitted(model, dataset, epochs: int, rates: str) -> dict:
    if rates != "auto":
        model.compile(segment.optimizer(epochs * int(dataset.cardinality()), float(rates)))
    started = time.time()
    history = model.fit(dataset, epochs=epochs, verbose=0).history
    return {"seconds": round(time.time() - started), "loss": round(history["loss"][-1], 4)}


def run_segment(arm: str, share: float, seed: int, how: dict) -> dict:
    images, masks, blocks, held_images, held_masks = segment.climate_tiles()
    source = pretrained("segment", images, arm, how["pretraining"], seed)
    chosen = segment.few(blocks, share, seed)
    learned = ks.data.from_arrays(
        images[chosen],
        masks=masks[chosen],
        batch_size=16,
        seed=seed,
        crop_scale=(0.3, 1.0),
    )
    keras.utils.set_random_seed(seed)
    model = ks.ImageSegmenter.from_pretrained(
        backbone_of(source, arm),
        len(segment.CLIMATES),
        neck_width=segment.NECK,
        mean=source.mean,
        std=source.std,
        recipe="auto" if how["rates"] == "auto" else None,
        seed=seed,
    )
    took = fitted(model, learned, how["epochs"], how["rates"])
    found = ks.evaluation.mean_iou(model.segment(held_images), held_masks, len(segment.CLIMATES))
    return {**took, "images": len(chosen), "mean_iou": round(found["mean_iou"], 4)}


def run_detect(arm: str, detector: str, seed: int, how: dict) -> dict:
    unlabeled, (images, boxes), blocks, other = detect.tree_crowns()
    source = pretrained("detect", unlabeled, arm, how["pretraining"], seed)
    size = SIZES["detect"]
    learned = ks.data.from_arrays(
        images, image_size=size, boxes=boxes, batch_size=8, seed=seed, crop_scale=(0.3, 1.0)
    )
    keras.utils.set_random_seed(seed)
    model = detect.DETECTORS[detector].from_pretrained(
        backbone_of(source, arm),
        1,
        neck_width=detect.NECK,
        mean=source.mean,
        std=source.std,
        recipe="auto" if how["rates"] == "auto" else None,
        seed=seed,
    )
    took = fitted(model, learned, how["epochs"], how["rates"])
    result = {**took, "images": len(images)}
    for prefix, (pixels, truth) in {"": blocks, "other ": other}.items():
        held_out = ks.data.from_arrays(
            pixels, image_size=size, boxes=truth, batch_size=64, training=False
        )
        found = dict(ks.evaluation.DetectionQuality(held_out)(model))
        result |= {prefix + name: round(found[name], 4) for name in ("mAP", "mAP50")}
    return result


def cells(options: argparse.Namespace) -> list[dict]:
    return [
        {
            "question": options.question,
            "variant": variant,
            "arm": arm,
            "seed": seed,
            "backend": keras.backend.backend(),
            "epochs": options.epochs or EPOCHS[variant],
            "pretraining": options.pretraining,
            "rates": options.rates,
        }
        for seed in options.seeds
        for variant in VARIANTS[options.question]
        if options.only is None or str(variant) in options.only
        for arm in options.arms
    ]


def interval(values: list[float]) -> str:
    """Mean in percent and half the width of its 95% confidence interval over seeds."""
    percent = 100 * np.array(values)
    if len(percent) < 2:
        return f"{percent.mean():.1f}"
    half = stats.t.ppf(0.975, len(percent) - 1) * percent.std(ddof=1) / len(percent) ** 0.5
    return f"{percent.mean():.1f} ± {half:.1f}"


def table() -> str:
    lines = []
    found = rows()
    for question in VARIANTS:
        chosen = [row for row in found if row["question"] == question]
        if not chosen:
            continue
        names = [name for name in MEASURES if any(name in row for row in chosen)]
        keys = ("variant", "arm", "backend", "epochs", "pretraining", "rates")
        head = ("network", "backend", "epochs", "of pretraining", "rates", "images", *names)
        lines += [f"\n| {question} | {' | '.join(head)} | seconds | seeds |"]
        lines += ["|---" * (len(head) + 3) + "|"]
        for kind in dict.fromkeys(tuple(row[key] for key in keys) for row in chosen):
            these = [row for row in chosen if tuple(row[key] for key in keys) == kind]
            values = [interval([row[name] for row in these]) for name in names]
            images, seconds = (
                np.mean([row[name] for row in these]) for name in ("images", "seconds")
            )
            lines.append(
                f"| {' | '.join(map(str, kind))} | {images:.0f} | {' | '.join(values)} | "
                f"{seconds:.0f} | {len(these)} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=(*VARIANTS, "table"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--only", nargs="+", help="shares of the masks, or detectors")
    parser.add_argument("--epochs", type=int, help="of fine-tuning")
    parser.add_argument("--pretraining", type=int, default=20, help="epochs of pretraining")
    parser.add_argument("--rates", default="auto", help="or one for all layers, such as 1e-3")
    options = parser.parse_args()
    if options.question != "table":
        measures = {"segment": run_segment, "detect": run_detect}[options.question]
        for cell in cells(options):
            if any(cell.items() <= row.items() for row in rows()):
                continue
            row = cell | measures(cell["arm"], cell["variant"], cell["seed"], cell)
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)
            keras.backend.clear_session()
    print(table())


if __name__ == "__main__":
    main()

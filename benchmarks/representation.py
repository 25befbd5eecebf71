"""Does pretraining help where labels are few? Fine-tuned against from scratch, on real images.

python benchmarks/representation.py            # runs what is missing, then prints the tables
python benchmarks/representation.py --table    # only prints
python benchmarks/representation.py --speed    # images/s of each pretraining, in turns

Results go to benchmarks/results/representation.jsonl, pretrained weights to benchmarks/.cache; a
second run continues. Every cell is one seed: weights, masks, chosen labels and order of images.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pictures
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

import keras_simmim as ks

m = ks.masking
RESULTS = Path(__file__).parent / "results" / "representation.jsonl"
SIDES = {"color": 32, "cells": 64, "defects": 64}
BUDGETS = (20, 100, 400, None)
SEEDS = range(3)
BATCH = 64
STEPS = 300  # of fine-tuning, with any number of labels
RATE = 3e-4  # of fine-tuning
# Epochs of equal time: images/s by `--speed`, on the machine of the README's table.
EPOCHS = {"spatial": 30, "multimodal": 8, "visible": 30, "semi-supervised": 30}
ARMS = {
    "scratch": BUDGETS,
    "spatial": BUDGETS,
    "spatial, shuffled labels": (100, None),
    "multimodal": (100,),
    "visible": BUDGETS,
    "semi-supervised": (100,),
}


def new_model(
    images: np.ndarray, method: str, seed: int, num_classes: int | None = None
) -> ks.SimMIM:
    """A ViT of 96 dimensions and 3 layers on 4×4 patches, and what it is pretrained by."""
    patch = images.shape[1] // 4
    backbone = ks.backbones.ViT(
        images.shape[1:], patch, num_layers=3, num_heads=3, hidden_dim=96, mlp_dim=384
    )
    options: dict = {"mean": images.mean((0, 1, 2)), "std": images.std((0, 1, 2))}
    generator: m.MaskGenerator = m.SpatialMasking(0.6, 1, seed=seed)
    if method == "visible":
        generator = m.SpatialMasking(0.75, 1, seed=seed)
        options["encode"] = "visible"
    if method == "multimodal":
        modalities = [m.SpatialMasking(), m.TextureMasking()]
        modalities += [m.ColorMasking()] if images.shape[-1] > 1 else []
        generator = m.IterativeMasking(modalities, block_size=patch, seed=seed)
        options["mask_on"] = "pixels"
    if num_classes is not None:
        options["classifier"] = ks.heads.ClassificationHead(num_classes, norm=True)
    return ks.SimMIM(backbone, generator, **options)


def compile_model(model: keras.Model, steps: int, rate: float) -> None:
    warmup = {"warmup_target": rate, "warmup_steps": steps // 10}
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, **warmup)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.05, global_clipnorm=5.0)
    jit_compile = keras.backend.backend() == "tensorflow" or "auto"
    model.compile(optimizer, jit_compile=jit_compile)


def pretrained(dataset: str, data: tuple[np.ndarray, ...], method: str, seed: int) -> ks.SimMIM:
    """The model after its epochs on all train images, without labels but in "semi-supervised"."""
    images, labels = data[:2]
    targets, num_classes = (images,), None
    # Cells and defects are the same images.
    name = dataset
    if method == "semi-supervised":
        partly = np.full(len(labels), -1)
        chosen = few(labels, 100, seed)
        partly[chosen] = labels[chosen]
        targets, num_classes = (images, partly), int(labels.max()) + 1
    elif dataset == "defects":
        name = "cells"
    model = new_model(images, method, seed, num_classes)
    path = pictures.CACHE / "representation" / f"{name}-{method}-{seed}.weights.h5"
    if path.exists():
        model.load_weights(path)
        return model
    epochs = EPOCHS[method]
    compile_model(model, epochs * -(-len(images) // BATCH), 1e-3)
    model.fit(*targets, batch_size=BATCH, epochs=epochs, verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save_weights(path)
    return model


def few(labels: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    """So many images, as many of each class as of any other where there are enough."""
    if count is None:
        return np.arange(len(labels))
    generator, classes = np.random.default_rng(seed), np.unique(labels)
    chosen = [
        generator.choice(np.flatnonzero(labels == c), count // len(classes), False) for c in classes
    ]
    return np.concatenate(chosen)


def unrelated(labels: np.ndarray, seed: int) -> np.ndarray:
    """The labels in another order, in which as many are right as chance would have it."""
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(labels) for _ in range(1000)]
    expected = np.sum((np.bincount(labels) / len(labels)) ** 2)
    return min(orders, key=lambda order: abs((order == labels).mean() - expected))


def fine_tuned(
    model: ks.SimMIM, data: tuple[np.ndarray, ...], budget: int | None, seed: int, shuffled: bool
) -> dict[str, float]:
    """Test accuracy of the whole network after `STEPS` steps on so many labels."""
    images, labels, test_images, test_labels = data
    chosen = few(labels, budget, seed)
    known = labels[chosen]
    if shuffled:
        known = unrelated(known, seed)
    # Few images many times over make one long epoch instead of many short ones.
    repeats = -(-32 * STEPS // (8 * len(chosen)))
    train = ks.data.from_arrays(
        np.tile(images[chosen], (repeats, 1, 1, 1)),
        np.tile(known, repeats),
        batch_size=32,
        seed=seed,
        crop=ks.data.RandomCrop(images.shape[1], scale=(0.6, 1.0)),
    )
    epochs = -(-STEPS // int(train.cardinality()))
    classifier = ks.ImageClassifier.from_pretrained(
        model, int(labels.max()) + 1, label_smoothing=0.1, seed=seed
    )
    compile_model(classifier, epochs * int(train.cardinality()), RATE)
    classifier.fit(train, epochs=epochs, shuffle=False, verbose=0)
    return scores(classifier.predict(test_images, verbose=0).argmax(1), test_labels)


def scores(predicted: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {
        "accuracy": float((predicted == labels).mean()),
        "balanced": float(balanced_accuracy_score(labels, predicted)),
    }


def logistic(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> dict[str, float]:
    scaler = StandardScaler().fit(train)
    probe = LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")
    probe.fit(scaler.transform(train), labels)
    return scores(probe.predict(scaler.transform(test)), test_labels)


def colors(images: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of each channel: what needs no network."""
    return np.concatenate([images.mean((1, 2)), images.std((1, 2))], axis=1)


def run_cell(dataset: str, arm: str, budget: int | None, seed: int) -> dict[str, float]:
    data = pictures.load(dataset, SIDES[dataset])
    images, labels, test_images, test_labels = data
    keras.utils.set_random_seed(seed)
    if arm == "colors alone":
        chosen = few(labels, budget, seed)
        return logistic(colors(images[chosen]), labels[chosen], colors(test_images), test_labels)
    method = arm.partition(",")[0]
    if method == "scratch":
        model = new_model(images, method, seed)
    else:
        model = pretrained(dataset, data, method, seed)
    if method == "semi-supervised":
        return scores(model.predict(test_images, verbose=0).argmax(1), test_labels)
    result = fine_tuned(model, data, budget, seed, shuffled="shuffled" in arm)
    if budget == 100 and "shuffled" not in arm:
        train, test = model.embed(images), model.embed(test_images)
        knn = ks.evaluation.knn_accuracy(train, labels, test, test_labels, k=20)
        probe = logistic(train, labels, test, test_labels)["balanced"]
        result |= {"knn": knn, "probe": probe}
    return result


def cells() -> list[tuple[str, str, int | None, int]]:
    """All cells, one seed after the other; cells and defects share their pretraining."""
    arms = {"colors alone": BUDGETS, **ARMS}
    return [
        (dataset, arm, budget, seed)
        for seed in SEEDS
        for dataset in SIDES
        for arm, budgets in arms.items()
        for budget in budgets
        if dataset != "defects" or arm not in ("multimodal", "semi-supervised")
    ]


def finished() -> dict[tuple, dict]:
    if not RESULTS.exists():
        return {}
    rows = map(json.loads, RESULTS.read_text().splitlines())
    return {(row["dataset"], row["arm"], row["budget"], row["seed"]): row for row in rows}


def interval(values: dict[int, float]) -> str:
    """Mean in percent and half the width of its 95% confidence interval over seeds."""
    percent = 100 * np.array(list(values.values()))
    if len(percent) < 2:
        return f"{percent.mean():.1f}" if len(percent) else ""
    half = stats.t.ppf(0.975, len(percent) - 1) * percent.std(ddof=1) / len(percent) ** 0.5
    return f"{percent.mean():.1f} ± {half:.1f}"


def tables() -> str:
    rows = finished()

    def values(dataset: str, arm: str, budget: int | None, measure: str) -> dict[int, float]:
        keys = {seed: (dataset, arm, budget, seed) for seed in SEEDS}
        return {s: rows[k][measure] for s, k in keys.items() if k in rows and measure in rows[k]}

    lines = [
        "| images | labels | colors alone | scratch | spatial | gain | visible | gain | shuffled |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for dataset in SIDES:
        for budget in BUDGETS:
            arms = ["colors alone", "scratch", "spatial", "visible", "spatial, shuffled labels"]
            colors, scratch, *others = [values(dataset, arm, budget, "balanced") for arm in arms]
            entries = [interval(colors), interval(scratch)]
            for tuned in others[:2]:
                gains = {seed: tuned[seed] - scratch[seed] for seed in tuned if seed in scratch}
                entries += [interval(tuned), interval(gains)]
            entries.append(interval(others[2]))
            lines.append(f"| {dataset} | {budget or 'all'} | {' | '.join(entries)} |")
    lines += [
        "",
        "| images | pretraining | kNN | linear probe | 100 labels | above scratch | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for dataset in SIDES:
        scratch = values(dataset, "scratch", 100, "balanced")
        for arm in ("scratch", "spatial", "visible", "multimodal", "semi-supervised"):
            tuned = values(dataset, arm, 100, "balanced")
            if not tuned:
                continue
            entries = [
                interval(values(dataset, arm, 100, measure))
                for measure in ("knn", "probe", "balanced")
            ]
            gains = {seed: tuned[seed] - scratch[seed] for seed in tuned if seed in scratch}
            entries.append(interval(gains) if arm != "scratch" else "")
            lines.append(f"| {dataset} | {arm} | {' | '.join(entries)} | {len(tuned)} |")
    return "\n".join(lines)


def speed() -> str:
    """Images a second of each pretraining step, in turns: medians of five rounds of ten steps."""
    lines = ["| images | pretraining | images/s | ÷ spatial |", "|---|---|---|---|"]
    for dataset in ("color", "cells"):
        images = pictures.load(dataset, SIDES[dataset])[0][: 10 * BATCH]
        models, rates = {}, {}
        for method in ("spatial", "visible", "multimodal"):
            models[method] = new_model(images, method, 0)
            compile_model(models[method], 100, 1e-3)
            models[method].fit(images, batch_size=BATCH, verbose=0)
            rates[method] = []
        for _ in range(5):
            for method, model in models.items():
                started = time.perf_counter()
                model.fit(images, batch_size=BATCH, verbose=0)
                rates[method].append(len(images) / (time.perf_counter() - started))
        spatial = np.median(rates["spatial"])
        for method, values in rates.items():
            rate = np.median(values)
            lines.append(f"| {dataset} | {method} | {rate:.0f} | {rate / spatial:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--speed", action="store_true", help="only time the pretrainings")
    parser.add_argument("--arms", help="only these, separated by '+'")
    parser.add_argument("--images", help="only these sets, separated by '+'")
    options = parser.parse_args()
    if options.speed:
        print(speed())
        return
    missing = [] if options.table else [cell for cell in cells() if cell not in finished()]
    for cell in missing:
        if options.arms and cell[1] not in options.arms.split("+"):
            continue
        if options.images and cell[0] not in options.images.split("+"):
            continue
        started = time.time()
        result = run_cell(*cell)
        row = {
            **dict(zip(("dataset", "arm", "budget", "seed"), cell, strict=True)),
            "backend": keras.backend.backend(),
            "seconds": round(time.time() - started, 1),
            **{name: round(value, 4) for name, value in result.items()},
        }
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)
        keras.backend.clear_session()
    print(tables())


if __name__ == "__main__":
    main()

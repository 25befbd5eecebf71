"""Does it help? Which modality, how many rounds, random or learned, which aggregation.

python benchmarks/modalities.py             # the cells that are not yet in the results; the table
python benchmarks/modalities.py --table     # the table of what is there
python benchmarks/modalities.py --shard 0/4 # every fourth cell, to run four at a time

A cell is a data set, a variant and a seed. It pretrains a small ViT and judges it by 20 nearest
neighbors, a linear probe, and fine-tuning on 10 labels a class. Every variant has the same number
of encoder passes: three rounds train for a third of the steps. Cells are appended to
benchmarks/results/modalities.jsonl as they finish, and are not run again.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pictures
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import keras_simmim as ks
from keras_simmim import masking as m

RESULTS = Path(__file__).parent / "results" / "modalities.jsonl"
SEEDS = range(5)
PATCH, BLOCK = 4, 8  # pixels
PASSES = 24  # epochs of one encoder pass an image
BATCH = 64
FEW = 10  # labels a class


def iterative(names: str, seed: int, block: int, **options) -> m.IterativeMasking:
    parts = {"s": m.SpatialMasking, "c": m.ColorMasking, "t": m.TextureMasking}
    maskings = [parts[name]() for name in names]
    return m.IterativeMasking(maskings, block_size=block, seed=seed, **options)


# name: (data sets, mask_on, seed and block → mask generator)
Variant = tuple[str, str, Callable[[int, int], m.MaskGenerator]]
VARIANTS: dict[str, Variant] = {
    "spatial": ("color cells", "features", lambda s, b: m.SpatialMasking(0.6, b, s)),
    "spatial, on pixels": ("color cells", "pixels", lambda s, b: m.SpatialMasking(0.6, b, s)),
    "chroma": ("color", "pixels", lambda s, b: m.ColorMasking("chroma", 0.6, b, s)),
    "luma": ("color", "pixels", lambda s, b: m.ColorMasking("luma", 0.6, b, s)),
    "low band": ("color cells", "pixels", lambda s, b: m.TextureMasking("low", 0.25, 0.6, b, s)),
    "high band": ("color cells", "pixels", lambda s, b: m.TextureMasking("high", 0.25, 0.6, b, s)),
    "space + color, 1 round": (
        "color",
        "pixels",
        lambda s, b: iterative("sc", s, b, iterations=1),
    ),
    "space + texture, 1 round": (
        "color cells",
        "pixels",
        lambda s, b: iterative("st", s, b, iterations=1),
    ),
    "space + texture, 3 rounds": ("cells", "pixels", lambda s, b: iterative("st", s, b)),
    "all, 1 round": ("color", "pixels", lambda s, b: iterative("sct", s, b, iterations=1)),
    "all, 3 rounds": ("color", "pixels", lambda s, b: iterative("sct", s, b)),
    "all, 3 disjoint rounds": (
        "color",
        "pixels",
        lambda s, b: iterative("sct", s, b, schedule="disjoint", ratio=(0.75, 0.75)),
    ),
    "all, 3 rounds, on features": ("color", "features", lambda s, b: iterative("sct", s, b)),
    "spatial, 3 rounds": ("color", "features", lambda s, b: iterative("s", s, b)),
    "learned": (
        "color cells",
        "features",
        lambda s, b: m.LearnedMasking(0.6, b, ramp_steps=400, seed=s),
    ),
    "learned, adversarial": (
        "color cells",
        "features",
        lambda s, b: m.LearnedMasking(0.6, b, adversarial=True, ramp_steps=400, seed=s),
    ),
}
AGGREGATORS = {
    "mean": ks.aggregation.MeanAggregation,
    "concat": ks.aggregation.ConcatAggregation,
    "attention": ks.aggregation.AttentionAggregation,
    "spatial mean": ks.aggregation.SpatialMean,
    "channel mean": ks.aggregation.ChannelMean,
}


def new_model(
    generator: m.MaskGenerator, mask_on: str, images: np.ndarray, **arguments
) -> ks.SimMIM:
    backbone = ks.backbones.ViT(
        images.shape[1:], PATCH, num_layers=3, num_heads=3, hidden_dim=96, mlp_dim=384
    )
    mean, std = images.mean((0, 1, 2)), images.std((0, 1, 2))
    return ks.SimMIM(backbone, generator, mask_on=mask_on, mean=mean, std=std, **arguments)


def compile_model(model: keras.Model, steps: int, rate: float = 1e-3, **arguments) -> None:
    warmup = {"warmup_target": rate, "warmup_steps": steps // 10}
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, **warmup)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.05, global_clipnorm=5.0)
    jit_compile = keras.backend.backend() == "tensorflow" or "auto"
    model.compile(optimizer, jit_compile=jit_compile, **arguments)


def few(labels: np.ndarray, seed: int) -> np.ndarray:
    """Ten images of each class."""
    generator = np.random.default_rng(seed)
    chosen = [generator.choice(np.flatnonzero(labels == c), FEW, False) for c in np.unique(labels)]
    return np.concatenate(chosen)


def fine_tuned(model: ks.SimMIM, data: tuple[np.ndarray, ...], seed: int) -> float:
    """Test accuracy of the whole network after training on few labels."""
    images, labels, test_images, test_labels = data
    chosen = few(labels, seed)
    inputs = keras.Input(images.shape[1:], dtype="float32")
    pooled = model.pool(model.backbone(model.normalize(inputs)))
    outputs = keras.layers.Dense(int(labels.max()) + 1, activation="softmax")(pooled)
    classifier = keras.Model(inputs, outputs)
    options = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    compile_model(classifier, 40 * -(-len(chosen) // 20), 5e-4, **options)
    known = images[chosen].astype("float32"), labels[chosen]
    classifier.fit(*known, batch_size=20, epochs=40, verbose=0)
    predicted = classifier.predict(test_images.astype("float32"), verbose=0).argmax(axis=1)
    return float((predicted == test_labels).mean())


def neighbors(train: np.ndarray, test: np.ndarray, data: tuple[np.ndarray, ...]) -> float:
    return ks.evaluation.knn_accuracy(train, data[1], test, data[3], k=20)


def probe(train: np.ndarray, test: np.ndarray, data: tuple[np.ndarray, ...]) -> float:
    scaler = StandardScaler().fit(train)
    probe = LogisticRegression(C=0.1, max_iter=2000).fit(scaler.transform(train), data[1])
    return float(probe.score(scaler.transform(test), data[3]))


def colors(images: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of each channel: what needs no network."""
    return np.concatenate([images.mean((1, 2)), images.std((1, 2))], axis=1).astype("float32")


def judged(model: ks.SimMIM, data: tuple[np.ndarray, ...], seed: int) -> dict[str, float]:
    train, test = model.embed(data[0]), model.embed(data[2])
    return {
        "knn": neighbors(train, test, data),
        "probe": probe(train, test, data),
        "few": fine_tuned(model, data, seed),
    }


def run_cell(dataset: str, variant: str, seed: int) -> dict[str, float]:
    data = pictures.load(dataset)
    images, labels = data[:2]
    keras.utils.set_random_seed(seed)
    if variant == "colors alone":
        train, test = (StandardScaler().fit(colors(images)).transform(colors(x)) for x in data[::2])
        return {"knn": neighbors(train, test, data), "probe": probe(train, test, data)}
    options: dict = {}
    mask_on, block = "features", BLOCK // PATCH
    generator: m.MaskGenerator = m.SpatialMasking(0.6, block, seed)
    if variant.startswith("labels, "):
        mask_on, generator = "pixels", iterative("sct", seed, BLOCK)
        classifier = ks.heads.ClassificationHead(10, "flatten" if "channel" in variant else "mean")
        aggregator = AGGREGATORS[variant.removeprefix("labels, ")]()
        options = {"classifier": classifier, "aggregator": aggregator}
    elif variant != "untrained":
        _, mask_on, make = VARIANTS[variant]
        generator = make(seed, block if mask_on == "features" else BLOCK)
    model = new_model(generator, mask_on, images, **options)
    if variant == "untrained":
        return judged(model, data, seed)
    epochs = PASSES // generator.views
    compile_model(model, epochs * -(-len(images) // BATCH))
    targets = (images,)
    if options:
        partly = np.full(len(labels), -1)
        chosen = few(labels, seed)
        partly[chosen] = labels[chosen]
        targets = (images, partly)
    history = model.fit(*targets, batch_size=BATCH, epochs=epochs, verbose=0).history
    result = {"loss": history["loss"][-1]}
    if options:
        result["few"] = model.evaluate(*data[2:], verbose=0, return_dict=True)["accuracy"]
        train, test = model.embed(images), model.embed(data[2])
        return {**result, "knn": neighbors(train, test, data), "probe": probe(train, test, data)}
    return {**result, **judged(model, data, seed)}


def cells() -> list[tuple[str, str, int]]:
    wanted = []
    for dataset in ("color", "cells"):
        names = [
            "untrained",
            *(name for name, (sets, *_) in VARIANTS.items() if dataset in sets.split()),
        ]
        names += [f"labels, {name}" for name in AGGREGATORS] if dataset == "color" else []
        wanted += [(dataset, "colors alone", 0)]
        wanted += [(dataset, name, seed) for name in names for seed in SEEDS]
    return wanted


def finished() -> dict[tuple[str, str, int], dict]:
    if not RESULTS.exists():
        return {}
    rows = map(json.loads, RESULTS.read_text().splitlines())
    return {(row["dataset"], row["variant"], row["seed"]): row for row in rows}


def table() -> str:
    """Mean ± standard error over seeds, in percent."""
    rows: dict[tuple[str, str], list[dict]] = {}
    for dataset, variant, seed in cells():
        if (dataset, variant, seed) in finished():
            rows.setdefault((dataset, variant), []).append(finished()[dataset, variant, seed])
    lines = [
        "| images | variant | kNN | linear probe | 10 labels a class | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for (dataset, variant), results in rows.items():
        entries = []
        for measure in ("knn", "probe", "few"):
            values = 100 * np.array([row[measure] for row in results if measure in row])
            error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0
            entries.append(f"{values.mean():.1f} ± {error:.1f}" if len(values) else "")
        lines.append(f"| {dataset} | {variant} | {' | '.join(entries)} | {len(results)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--shard", default="0/1", help="i/n: only every n-th cell, from the i-th")
    options = parser.parse_args()
    index, count = map(int, options.shard.split("/"))
    missing = [] if options.table else [cell for cell in cells() if cell not in finished()]
    for dataset, variant, seed in missing[index::count]:
        started = time.time()
        result = run_cell(dataset, variant, seed)
        row = {
            "dataset": dataset,
            "variant": variant,
            "seed": seed,
            "backend": keras.backend.backend(),
            "seconds": round(time.time() - started, 1),
            **{name: round(float(value), 4) for name, value in result.items()},
        }
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)
        keras.backend.clear_session()
    print(table())


if __name__ == "__main__":
    main()

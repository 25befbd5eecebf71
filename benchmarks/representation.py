"""What do the objectives teach, at equal time, and where are few labels better off by it?

python benchmarks/representation.py screen          # all arms on climate tiles, one seed
python benchmarks/representation.py decide          # the chosen arms on all sets, several seeds
python benchmarks/representation.py table           # only prints what is there

Every cell runs on one core for so many seconds of its own processor time, and then stops being
trained; how many steps that is, is measured before it begins and written down. Results go to
benchmarks/results/representation.jsonl, pretrained weights to benchmarks/.cache; what is there is
not run again. Two of these may run beside each other: `--part 0/2` and `--part 1/2`.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["OMP_NUM_THREADS"] = "1"

import keras
import numpy as np
import pictures
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

import keras_simmim as ks

m, o = ks.masking, ks.objectives
RESULTS = Path(__file__).parent / "results" / "representation.jsonl"
# Each set of images is pretrained on once, for all the labels that it has.
SETS = {"climate": ("climate 5", "climate 20"), "cells": ("cells", "defects"), "color": ("color",)}
SIDES = {"climate": 32, "cells": 64, "color": 32}
SECONDS = {"screen": 180, "decide": 120}
BATCH = {"screen": 128, "decide": 64}
TUNING_STEPS = 200
TUNING_RATE = 3e-4
TUNED = ("10 a class", "100", "400", "all")


def spatial(views: int = 1, seed: int = 0) -> m.MaskGenerator:
    return m.SpatialMasking(0.75, 1, seed=seed, views=views)


def apart(modalities: list, ratios: tuple[float, ...], block: int, seed: int) -> m.MaskGenerator:
    """Views that lost different modalities, or, of one modality, as many draws of it."""
    views = m.IndependentViews(ratios, len(ratios), apart=len(modalities) > 1)
    return m.MaskGenerator(modalities, m.RandomDraw(seed), views, block)


# What is pretrained, by the name of its arm: a function of the patch's side and the seed.
NORMALIZED = ("normalized_pixels",)
ARMS = {
    "default": lambda p, s: {"objectives": [o.Reconstruction()], "tokens": 16},
    "C": lambda p, s: {"objectives": [o.Reconstruction(*NORMALIZED)]},
    "C + uniformity": lambda p, s: {
        "objectives": [o.Reconstruction(*NORMALIZED), o.Uniformity()],
    },
    "C + views": lambda p, s: {
        "objectives": [o.Reconstruction(*NORMALIZED), o.Agreement(seed=s)],
        "mask_generator": spatial(2, s),
    },
    "C + crops": lambda p, s: {
        "objectives": [o.Reconstruction(*NORMALIZED), o.Agreement(between="crops", seed=s)],
        "crops": 2,
    },
    "C + crops, infonce": lambda p, s: {
        "objectives": [o.Reconstruction(*NORMALIZED), o.Agreement("infonce", "crops", seed=s)],
        "crops": 2,
    },
    "modalities apart": lambda p, s: {
        "objectives": [o.Reconstruction(), o.Agreement(seed=s)],
        "mask_generator": apart([m.Spatial(), m.Color()], (0.6, 0.6), p, s),
        "mask_on": "pixels",
        "encode": "all",
    },
    "spatial views, all encoded": lambda p, s: {
        "objectives": [o.Reconstruction(), o.Agreement(seed=s)],
        "mask_generator": apart([m.Spatial()], (0.6, 0.6), p, s),
        "mask_on": "pixels",
        "encode": "all",
    },
    "modalities apart, infonce": lambda p, s: {
        "objectives": [o.Agreement("infonce", seed=s)],
        "mask_generator": apart([m.Spatial(), m.Color()], (0.6, 0.6), p, s),
        "mask_on": "pixels",
        "encode": "all",
    },
    "spatial views, infonce": lambda p, s: {
        "objectives": [o.Agreement("infonce", seed=s)],
        "mask_generator": apart([m.Spatial()], (0.6, 0.6), p, s),
        "mask_on": "pixels",
        "encode": "all",
    },
    "views, infonce": lambda p, s: {
        "objectives": [o.Agreement("infonce", seed=s)],
        "mask_generator": spatial(2, s),
    },
    "crops, infonce": lambda p, s: {
        "objectives": [o.Agreement("infonce", "crops", seed=s)],
        "crops": 2,
    },
    "crops from 15%, infonce": lambda p, s: {
        "objectives": [o.Agreement("infonce", "crops", seed=s)],
        "crops": 2,
        "least": 0.15,
    },
    "crops, infonce, 16 patches": lambda p, s: {
        "objectives": [o.Agreement("infonce", "crops", seed=s)],
        "mask_generator": m.SpatialMasking(0.5, 1, seed=s),
        "crops": 2,
        "tokens": 16,
    },
    "crops, infonce + uniformity": lambda p, s: {
        "objectives": [o.Agreement("infonce", "crops", seed=s), o.Uniformity(1.0)],
        "crops": 2,
    },
    "jigsaw": lambda p, s: {"objectives": [o.Jigsaw(seed=s)]},
    "all": lambda p, s: {
        "objectives": [
            o.Reconstruction(*NORMALIZED),
            o.Uniformity(),
            o.Agreement(between="crops", seed=s),
            o.Jigsaw(seed=s, weight=0.1),
        ],
        "crops": 2,
    },
}
DECIDING = ("scratch", "default", "crops from 15%, infonce")


def new_model(images: np.ndarray, arm: str, seed: int) -> ks.SimMIM:
    """A ViT of 128 dimensions and 4 layers, on 8×8 patches, or on 4×4 where it says so."""
    side, channels = images.shape[1], images.shape[-1]
    options = ARMS["C" if arm == "scratch" else arm](side // 8, seed)
    patch = int(side / options.pop("tokens", 64) ** 0.5)
    backbone = ks.backbones.ViT(
        images.shape[1:], patch, num_layers=4, num_heads=4, hidden_dim=128, mlp_dim=512
    )
    count = options.pop("crops", 1)
    # Cells fill their frames; crops that are to agree must differ.
    least = options.pop("least", 0.4 if count > 1 else 0.67 if channels == 3 else 1.0)
    crops = ks.training.Crops(count, (least, 1.0), seed=seed, image_size=side)
    options = {"mask_generator": spatial(seed=seed), "encode": "visible", **options}
    return ks.SimMIM(
        backbone, **options, crops=crops, mean=images.mean((0, 1, 2)), std=images.std((0, 1, 2))
    )


def compile_model(model: keras.Model, steps: int, rate: float) -> None:
    warmup = {"warmup_target": rate, "warmup_steps": max(steps // 10, 1)}
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, **warmup)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=0.05, beta_2=0.95, global_clipnorm=5.0
    )
    model.compile(optimizer)


class Batches(keras.utils.PyDataset):
    """So many batches of images, each image as often as any other."""

    def __init__(self, images: np.ndarray, steps: int, batch_size: int, seed: int) -> None:
        super().__init__()
        generator = np.random.default_rng(seed)
        epochs = -(-steps * batch_size // len(images))
        self.images, self.steps, self.batch_size = images, steps, batch_size
        self.order = np.concatenate([generator.permutation(len(images)) for _ in range(epochs)])

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> np.ndarray:
        first = index * self.batch_size
        return self.images[self.order[first : first + self.batch_size]]


def steps_within(model: ks.SimMIM, images: np.ndarray, seconds: float, batch_size: int) -> int:
    """Count the steps that fit, by the fastest of three rounds of four."""
    compile_model(model, 100, 1e-3)
    batch, times = images[:batch_size], []
    for _ in range(4):
        started = time.process_time()
        for _ in range(4):
            model.train_on_batch(batch)
        times.append((time.process_time() - started) / 4)
    return int(seconds / min(times))


def pretrained(name: str, arm: str, seed: int, question: str) -> tuple[ks.SimMIM, dict]:
    """The model after its time on all images without labels, and what it took."""
    seconds, batch_size = SECONDS[question], BATCH[question]
    images = pictures.unlabeled({"climate": "climate 5"}.get(name, name), SIDES[name])
    keras.utils.set_random_seed(seed)
    if arm == "scratch":
        return new_model(images, arm, seed), {}
    folder = pictures.CACHE / "representation"
    path = folder / f"{question}-{name}-{arm}-{seed}-{seconds:g}.weights.h5"
    note = path.with_suffix(".json")
    model = new_model(images, arm, seed)
    if note.exists():
        model.load_weights(path)
        return model, json.loads(note.read_text())
    steps = steps_within(new_model(images, arm, 0), images, seconds, batch_size)
    keras.utils.set_random_seed(seed)
    model = new_model(images, arm, seed)
    compile_model(model, steps, 1.5e-3)
    started = time.process_time()
    history = model.fit(Batches(images, steps, batch_size, seed), verbose=0).history
    took = {"steps": steps, "cpu_seconds": round(time.process_time() - started, 1)}
    took |= {"loss": round(history["loss"][-1], 4)}
    folder.mkdir(parents=True, exist_ok=True)
    model.save_weights(path)
    note.write_text(json.dumps(took))
    return model, took


def few(labels: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    """So many images of each class, or all there are; all images if None."""
    if count is None:
        return np.arange(len(labels))
    generator, classes = np.random.default_rng(seed), np.unique(labels)
    places = [np.flatnonzero(labels == c) for c in classes]
    return np.concatenate([generator.choice(p, min(count, len(p)), False) for p in places])


def unrelated(labels: np.ndarray, seed: int) -> np.ndarray:
    """The labels in another order, in which as many are right as chance would have it."""
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(labels) for _ in range(1000)]
    expected = np.sum((np.bincount(labels) / len(labels)) ** 2)
    return min(orders, key=lambda order: abs((order == labels).mean() - expected))


def logistic(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> float:
    """Balanced accuracy of a logistic regression on features of their own scale."""
    scaler = StandardScaler().fit(train)
    probe = LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")
    probe.fit(scaler.transform(train), labels)
    return balanced_accuracy_score(test_labels, probe.predict(scaler.transform(test)))


def fine_tuned(
    model: ks.SimMIM,
    data: tuple[np.ndarray, ...],
    chosen: np.ndarray,
    labels: np.ndarray,
    seed: int,
) -> float:
    """Balanced accuracy of the whole network after `TUNING_STEPS` steps on these labels."""
    images, _, test_images, test_labels = data
    classes = int(test_labels.max()) + 1
    classifier = ks.ImageClassifier.from_pretrained(model, classes, label_smoothing=0.1, seed=seed)
    compile_model(classifier, TUNING_STEPS, TUNING_RATE)
    generator = np.random.default_rng(seed)
    crops = ks.training.Crops(1, (0.6, 1.0), seed=seed)
    for step in range(TUNING_STEPS):
        if step * 32 % len(chosen) < 32:
            order = generator.permutation(len(chosen))
        taken = order[np.arange(step * 32, step * 32 + 32) % len(chosen)]
        batch = keras.ops.convert_to_numpy(crops(images[chosen[taken]], step=step))[:, 0]
        classifier.train_on_batch(batch, labels[taken])
    predicted = classifier.predict(test_images, verbose=0).argmax(1)
    return balanced_accuracy_score(test_labels, predicted)


def judged(model: ks.SimMIM, labeled: str, name: str, seed: int, tunes: bool) -> dict[str, float]:
    """By neighbors, by probes, and, if asked for, by fine-tuning."""
    data = pictures.load(labeled, SIDES[name])
    images, labels, test_images, test_labels = data
    blocks, test_blocks = model.embed_blocks(images), model.embed_blocks(test_images)
    train, test = blocks[-1], test_blocks[-1]
    rank = ks.evaluation.embedding_statistics(test)["embedding_rank"]
    result = {
        "knn": ks.evaluation.knn_accuracy(train, labels, test, test_labels, k=20),
        "probe": logistic(train, labels, test, test_labels),
        "best_block": max(
            logistic(a, labels, b, test_labels) for a, b in zip(blocks, test_blocks, strict=True)
        ),
        "rank": float(rank),
    }
    classes = len(np.unique(labels))
    budgets = {"10 a class": 10, "100": 100 // classes, "400": 400 // classes, "all": None}
    for budget, count in budgets.items():
        chosen = few(labels, count, seed)
        result[f"frozen {budget}"] = logistic(train[chosen], labels[chosen], test, test_labels)
        if tunes and budget in TUNED:
            result[f"tuned {budget}"] = fine_tuned(model, data, chosen, labels[chosen], seed)
    if tunes and seed == 0 and labeled == "cells":
        chosen = few(labels, 100 // classes, seed)
        shuffled = unrelated(labels[chosen], seed)
        result["tuned 100, shuffled"] = fine_tuned(model, data, chosen, shuffled, seed)
    return {key: round(float(value), 4) for key, value in result.items()}


def cells(question: str, seeds: int) -> list[tuple]:
    """All cells of a question, one seed after the other."""
    if question == "screen":
        return [("screen", "climate", arm, 0) for arm in ("scratch", *ARMS)]
    return [
        ("decide", name, arm, seed) for seed in range(seeds) for name in SETS for arm in DECIDING
    ]


def rows() -> list[dict]:
    return list(map(json.loads, RESULTS.read_text().splitlines())) if RESULTS.exists() else []


def run(cell: tuple) -> None:
    question, name, arm, seed = cell
    started = time.time()
    model, took = pretrained(name, arm, seed, question)
    for labeled in SETS[name]:
        tunes = question == "decide" and labeled != "defects"
        measures = judged(model, labeled, name, seed, tunes)
        row = {"question": question, "set": name, "labels": labeled, "arm": arm, "seed": seed}
        row |= {"seconds": SECONDS[question], "batch": BATCH[question], **took, **measures}
        row |= {"wall_seconds": round(time.time() - started)}
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


def interval(values: list[float]) -> str:
    """Mean in percent and half the width of its 95% confidence interval over seeds."""
    percent = 100 * np.array(values)
    if len(percent) < 2:
        return f"{percent.mean():.1f}" if len(percent) else ""
    half = stats.t.ppf(0.975, len(percent) - 1) * percent.std(ddof=1) / len(percent) ** 0.5
    return f"{percent.mean():.1f} ± {half:.1f}"


MEASURES = ("knn", "probe", "best_block", "frozen 10 a class", "tuned 10 a class", "frozen 100")
MEASURES += ("tuned 100", "frozen 400", "frozen all", "tuned 100, shuffled")


def table(question: str) -> str:
    found = [row for row in rows() if row["question"] == question]
    measures = [each for each in MEASURES if any(each in row for row in found)]
    lines = [
        f"| labels | arm | steps | rank | {' | '.join(measures)} | seeds |",
        "|---" * (len(measures) + 5) + "|",
    ]
    for labeled, arm in dict.fromkeys((row["labels"], row["arm"]) for row in found):
        chosen = [row for row in found if (row["labels"], row["arm"]) == (labeled, arm)]
        steps = np.mean([row.get("steps", 0) for row in chosen])
        rank = np.mean([row["rank"] for row in chosen])
        entries = [interval([row[each] for row in chosen if each in row]) for each in measures]
        start = f"| {labeled} | {arm} | {steps:.0f} | {rank:.1f} |"
        lines.append(f"{start} {' | '.join(entries)} | {len(chosen)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=("screen", "decide", "table"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", default="0/1", help="which cells, such as 0/2")
    options = parser.parse_args()
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    if options.question != "table":
        part, parts = map(int, options.part.split("/"))
        done = {(row["question"], row["set"], row["arm"], row["seed"]) for row in rows()}
        for cell in cells(options.question, options.seeds)[part::parts]:
            if cell not in done:
                run(cell)
                keras.backend.clear_session()
    for question in SECONDS:
        print(f"\n{question}, {SECONDS[question]} s\n\n{table(question)}")


if __name__ == "__main__":
    main()

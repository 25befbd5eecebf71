"""Tell good reviews from bad ones by few labels, on a network pretrained on texts without labels.

pip download --no-binary :all: --no-deps vaderSentiment==3.3.2      # snippets about movies
python examples/sentiment.py
python examples/sentiment.py --labels 50 500 --seed 1
python examples/sentiment.py --data reviews.csv --columns text stars    # your own; two classes

The same network, trained as long from scratch, and logistic regression on TF-IDF are beside it.
"""

import argparse
import csv
import io
import os
import sys
import tarfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import keras_simmim as ks

SNIPPETS = "vaderSentiment-3.3.2.tar.gz"
INSIDE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
RATED = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
UNDECIDED = 0.5  # Snippets of a mean rating this near to 0, of −4 to 4, count as without a label.
HELD_OUT = 0.2
BATCH = 32


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SNIPPETS, help=f"CSV file, or {SNIPPETS}")
    parser.add_argument("--columns", nargs=2, default=("text", "label"), metavar="NAME")
    parser.add_argument("--labels", type=int, nargs="+", default=(100, 200, 1000))
    parser.add_argument("--length", type=int, default=40, help="tokens of a text")
    parser.add_argument("--vocabulary", type=int, default=4000, help="tokens of the tokenizer")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=5, help="of pretraining")
    parser.add_argument("--steps", type=int, default=200, help="of fine-tuning, and one epoch more")
    parser.add_argument("--output", type=Path, help="default: runs/sentiment-<time>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--distribute", action="store_true", help="on all devices, see docs")
    options = parser.parse_args(given)
    if min(options.labels) < 2:
        parser.error(f"--labels must be at least 2, got {min(options.labels)}")
    options.output = options.output or Path("runs") / time.strftime("sentiment-%Y%m%d-%H%M%S")
    return options


def snippets(path: Path) -> tuple[list[str], np.ndarray, list[str]]:
    """Read the snippets, and whether each is good, 1, bad, 0, or undecided, −1."""
    if not path.exists():
        command = "pip download --no-binary :all: --no-deps vaderSentiment==3.3.2"
        raise OSError(f"--data {path}: there is no such file; the snippets come by {command}")
    with tarfile.open(path) as outer, tarfile.open(fileobj=outer.extractfile(INSIDE)) as inner:
        text = io.TextIOWrapper(inner.extractfile(RATED), "utf-8", errors="replace")
        rows = [line.rstrip("\n").split("\t", 2) for line in text]
    ratings = np.array([float(rating) for _, rating, _ in rows])
    labels = np.where(np.abs(ratings) <= UNDECIDED, -1, ratings > 0)
    return [text for *_, text in rows], labels.astype("int32"), ["bad", "good"]


def reviews(options: argparse.Namespace) -> tuple[list[str], np.ndarray, list[str]]:
    """Return texts, their labels, −1 where there is none, and the names of the two classes."""
    if Path(options.data).name == SNIPPETS:
        return snippets(Path(options.data))
    with open(options.data, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in options.columns if not rows or name not in rows[0]]
    if missing:
        found = list(rows[0]) if rows else "no line"
        raise ValueError(f"--columns {missing[0]}: {options.data} has {found}.")
    texts, given = ([row[name] for row in rows] for name in options.columns)
    names = sorted(set(given) - {""})
    if len(names) != 2:
        raise ValueError(f"--columns {options.columns[1]}: needs two classes, got {names[:5]}.")
    return texts, np.array([names.index(each) if each else -1 for each in given]), names


def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle the labeled texts' numbers, and hold some out, the same ones for all seeds."""
    known = np.random.default_rng(0).permutation(np.flatnonzero(labels >= 0))
    held, rest = np.split(known, [round(HELD_OUT * len(known))])
    return np.random.default_rng(seed).permutation(rest), held


def compiled(model, steps: int, rate: float) -> None:
    """Give a model its optimizer, for so many steps."""
    warmup = {"warmup_target": rate, "warmup_steps": max(1, steps // 10)}
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, **warmup)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.05, global_clipnorm=1.0))


def pretrained(texts: list[str], options: argparse.Namespace) -> ks.SimMIM:
    """Learn words from all texts: which stand near each other, and then by naming hidden ones."""
    keras.utils.set_random_seed(options.seed)
    tokenizer = ks.data.train_tokenizer(texts, vocabulary_size=options.vocabulary)
    backbone = ks.backbones.SequenceTransformer(
        options.vocabulary,
        length=options.length,
        num_layers=2,
        num_heads=4,
        hidden_dim=options.width,
    )
    # So few texts would teach a masked model little more than how frequent words are.
    tokens = tokenizer(texts, options.length)
    table = ks.pretraining.cooccurrence_table(tokens, options.vocabulary, options.width)
    backbone.tables[0].assign(table)
    # Of what is hidden, some shows itself or another word, so that visible words are encoded too.
    masking = ks.masking.SpatialMasking(
        ratio=0.2, block_size=1, kept=0.1, swapped=0.1, seed=options.seed
    )
    model = ks.SimMIM(backbone, masking, tokenizer=tokenizer)
    train = ks.data.texts(
        texts, tokenizer, labels=None, length=options.length, batch_size=64, seed=options.seed
    )
    print(f"{train.truncated} of {len(texts)} texts are longer than {options.length} tokens.")
    compiled(model, options.epochs * int(train.cardinality()), 1e-3)
    model.fit(train, epochs=options.epochs, verbose=2)
    return model


def fine_tuned(model, texts, labels, options: argparse.Namespace, from_scratch: bool):
    """Learn from labels, with what the model has learned or with new weights."""
    keras.utils.set_random_seed(options.seed)
    source = model
    if from_scratch:
        fresh = model.backbone.get_config()
        source = type(model.backbone).from_config(fresh)
    classifier = ks.TextClassifier.from_pretrained(
        source, 2, tokenizer=model.tokenizer, label_smoothing=0.1, seed=options.seed
    )
    # Few texts many times over make one long epoch instead of many short ones.
    wanted = options.steps * BATCH + len(texts)
    repeated = np.resize(np.arange(len(texts)), wanted)
    train = ks.data.texts(
        [texts[index] for index in repeated],
        model.tokenizer,
        labels[repeated],
        length=options.length,
        batch_size=BATCH,
        seed=options.seed,
    )
    compiled(classifier, int(train.cardinality()), 5e-4)
    classifier.fit(train, epochs=1, verbose=0)
    return classifier


def by_words(texts, labels, unlabeled, held_out) -> np.ndarray:
    """Predict by logistic regression on TF-IDF, whose frequencies are those of all texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit(unlabeled)
    regression = LogisticRegression(C=10.0, max_iter=1000).fit(words.transform(texts), labels)
    return regression.predict(words.transform(held_out))


def main() -> None:
    options = arguments()
    if options.distribute:
        ks.training.distribute().tell()
    print(f"Backend: {keras.backend.backend()}. Seed: {options.seed}.")
    try:
        texts, labels, names = reviews(options)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    rest, held = split(labels, options.seed)
    asked, truth = [texts[index] for index in held], labels[held]
    started = time.time()
    model = pretrained(texts, options)
    print(f"Pretrained on {len(texts)} texts in {time.time() - started:.0f} s.\n")
    print(f"{'labels':>8}  pretrained  from scratch  TF-IDF   accuracy on {len(held)} texts")
    for count in sorted({min(each, len(rest)) for each in (*options.labels, len(rest))}):
        few, own = [texts[index] for index in rest[:count]], labels[rest[:count]]
        found = []
        for from_scratch in (False, True):
            classifier = fine_tuned(model, few, own, options, from_scratch)
            found.append((classifier.predict(asked, verbose=0).argmax(1) == truth).mean())
            if not from_scratch:
                with ks.training.written_once(options.output) as folder:
                    if folder is not None:
                        classifier.save(folder / f"{count}-labels.keras")
        found.append((by_words(few, own, texts, asked) == truth).mean())
        print(f"{count:8}  {found[0]:10.3f}  {found[1]:12.3f}  {found[2]:6.3f}", flush=True)
    for text in ("so good", "not good at all"):
        best = names[classifier.predict([text], verbose=0)[0].argmax()]
        print(f"{text!r} is {best}, to the last one.")
    print(f"Classifiers of texts are in {options.output}.")


if __name__ == "__main__":
    main()

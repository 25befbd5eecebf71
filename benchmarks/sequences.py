"""What does pretraining on sequences teach, and how fast is it? On the data of the examples.

python benchmarks/sequences.py text           # movie snippets: 100, 200, 1,000 and all labels
python benchmarks/sequences.py recommend      # MovieLens 100k: ids alone, and side features
python benchmarks/sequences.py speed          # a step beside Hugging Face's BERT, three backends
python benchmarks/sequences.py table          # only prints what is there

Results go to benchmarks/results/sequences.jsonl, pretrained weights to benchmarks/.cache; what is
there is not run again. `--backend` is Keras' own KERAS_BACKEND; `--snippets` is the archive that
examples/sentiment.py asks for.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import recommend
import sentiment

import keras_simmim as ks

RESULTS = Path(__file__).parent / "results" / "sequences.jsonl"
CACHE = Path(__file__).parent / ".cache" / "sequences"
BUDGETS = (100, 200, 1000, "all")
TEXT_ARMS = ("TF-IDF", "pretrained", "from scratch")
# As the example was before: no table of words, 15 epochs.
EARLIER = "masked alone"
ITEM_ARMS = ("popularity", "item-kNN", "ids alone", "features apart", "features together")
FEATURES = ("genre", "gap")
BACKENDS = ("tensorflow", "jax", "torch")
SPEED = {"batch": 32, "length": 128, "vocabulary": 8000, "layers": 4, "heads": 4, "width": 128}


def rows() -> list[dict]:
    return list(map(json.loads, RESULTS.read_text().splitlines())) if RESULTS.exists() else []


def keep(row: dict) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(row, flush=True)


# --------------------------------------------------------------------------------- text


def pretrained(texts: list[str], options: argparse.Namespace) -> ks.SimMIM:
    """The model after pretraining on all texts, from the cache if it is there."""
    sizes = (options.seed, options.epochs, options.width, options.vocabulary, options.length)
    path = CACHE / f"text-{'-'.join(map(str, sizes))}.keras"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        started = time.process_time()
        model = sentiment.pretrained(texts, options)
        print(f"Pretrained: {time.process_time() - started:.0f} s of processor time.", flush=True)
        model.save(path)
    return keras.saving.load_model(path)


def run_text(arm: str, budget: int | str, seed: int, snippets: str) -> dict:
    options = sentiment.arguments(["--seed", str(seed), "--data", snippets])
    texts, labels, _ = sentiment.reviews(options)
    rest, held = sentiment.split(labels, seed)
    chosen = rest if budget == "all" else rest[:budget]
    few, own = [texts[index] for index in chosen], labels[chosen]
    asked = [texts[index] for index in held]
    started = time.process_time()
    if arm == "TF-IDF":
        found = sentiment.by_words(few, own, texts, asked)
    else:
        model = pretrained(texts, options)
        started = time.process_time()
        classifier = sentiment.fine_tuned(model, few, own, options, arm == "from scratch")
        found = classifier.predict(asked, verbose=0).argmax(1)
    seconds = round(time.process_time() - started)
    return {"accuracy": round(float((found == labels[held]).mean()), 4), "seconds": seconds}


# --------------------------------------------------------------------------- recommendation


def side_features(users: np.ndarray, items: np.ndarray, times: np.ndarray, names: np.ndarray):
    """A film's first genre, and the time since the user's last film, in powers of 4 seconds."""
    titles, genres = recommend.table(
        recommend.movies("item"), ("movie_title:token_seq", "class:token_seq")
    )
    first = np.array([genre.split(" ")[0] for genre in genres])
    numbers = dict(zip(titles, np.unique(first, return_inverse=True)[1] + 1, strict=True))
    order = np.lexsort((times, users))
    gaps = np.diff(times[order], prepend=np.inf)
    gaps[1:][users[order][1:] != users[order][:-1]] = -np.inf
    buckets = np.empty(len(users), int)
    buckets[order] = np.where(gaps < 0, 1, 2 + np.log2(1 + np.maximum(gaps, 0)) // 2)
    return {"genre": np.array([numbers[names[item]] for item in items]), "gap": buckets}


def run_recommend(arm: str, seed: int) -> dict:
    options = recommend.arguments(["--seed", str(seed)])
    users, items, times, names = recommend.interactions(options)
    size, longest = len(names), int(np.unique(users, return_counts=True)[1].max())
    features = None
    if arm.startswith("features"):
        features = side_features(users, items, times, names)
    split = ks.data.leave_one_out(users, items, times, longest, features)
    plain = ks.data.leave_one_out(users, items, times, longest)
    started, result = time.process_time(), {}
    if arm == "popularity":
        scores = [recommend.by_popularity(part.histories, size) for part in plain[1:]]
    elif arm == "item-kNN":
        count = recommend.best_count(plain.validation, size)
        scores = [recommend.by_neighbors(part.histories, size, count) for part in plain[1:]]
        result = {"neighbors": count}
    else:
        sizes = {name: int(values.max()) + 1 for name, values in (features or {}).items()}
        train = recommend.batches(users, items, times, options, features)
        model = recommend.trained(train, size, options, sizes, apart=arm == "features apart")
        scores = [model.scores(part.histories) for part in split[1:]]
    result["seconds"] = round(time.process_time() - started)
    for part, given, name in zip(plain[1:], scores, ("validation ", ""), strict=True):
        for seen, excludes in (("", True), (" with seen", False)):
            found = ks.evaluation.ranking_metrics(given, *part, exclude_seen=excludes)
            result |= {f"{name}{key}{seen}": round(value, 4) for key, value in found.items()}
    return result


# --------------------------------------------------------------------------------- speed


def our_step(tokens: np.ndarray):
    backbone = ks.backbones.SequenceTransformer(
        SPEED["vocabulary"], SPEED["length"], SPEED["layers"], SPEED["heads"], SPEED["width"]
    )
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(ratio=0.15, block_size=1))
    optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.05, global_clipnorm=5.0)
    model.compile(optimizer, jit_compile=keras.backend.backend() != "torch")
    return lambda: model.train_on_batch(tokens)


def their_step(tokens: np.ndarray):
    """A step of BERT; its masks are drawn before the clock starts."""
    import torch
    import transformers

    settings = transformers.BertConfig(
        vocab_size=SPEED["vocabulary"],
        hidden_size=SPEED["width"],
        num_hidden_layers=SPEED["layers"],
        num_attention_heads=SPEED["heads"],
        intermediate_size=4 * SPEED["width"],
        max_position_embeddings=SPEED["length"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = transformers.BertForMaskedLM(settings).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.05)
    ids = torch.from_numpy(tokens).long()
    valid = (ids != 0).long()
    hidden = (torch.rand(ids.shape) < 0.15) & (valid > 0)
    shown, labels = ids.masked_fill(hidden, 1), ids.masked_fill(~hidden, -100)

    def step() -> None:
        optimizer.zero_grad()
        model(input_ids=shown, attention_mask=valid, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step


def run_speed(rounds: int) -> dict:
    """Times both in turns in this process; half of the sequences are padded."""
    generator = np.random.default_rng(0)
    shape = SPEED["batch"], SPEED["length"]
    tokens = generator.integers(2, SPEED["vocabulary"], shape, dtype="int32")
    lengths = generator.integers(SPEED["length"] // 2, SPEED["length"] + 1, SPEED["batch"])
    lengths[::2] = SPEED["length"]
    tokens[np.arange(SPEED["length"]) >= lengths[:, None]] = 0
    steps = {"ours": our_step(tokens), "theirs": their_step(tokens)}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 2):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if number > 1:
                times[name].append(time.perf_counter() - started)
    milliseconds = {name: 1000 * statistics.median(values) for name, values in times.items()}
    ratios = np.divide(times["theirs"], times["ours"])
    return {
        "ours_ms": round(milliseconds["ours"], 1),
        "hugging_face_ms": round(milliseconds["theirs"], 1),
        "ratio": round(milliseconds["theirs"] / milliseconds["ours"], 3),
        "ratio_quartiles": [round(float(q), 3) for q in np.percentile(ratios, (25, 75))],
        "rounds": rounds,
    }


# --------------------------------------------------------------------------------- tables


def interval(values: list[float], factor: float = 100.0) -> str:
    """Mean, in percent, and half the width of its 95% confidence interval over seeds."""
    scaled = factor * np.array(values)
    if len(scaled) < 2 or np.ptp(scaled) == 0:
        return f"{scaled.mean():.1f}"
    half = stats.t.ppf(0.975, len(scaled) - 1) * scaled.std(ddof=1) / len(scaled) ** 0.5
    return f"{scaled.mean():.1f} ± {half:.1f}"


def in_order(arm: tuple[str, str]) -> tuple[int, str]:
    return ITEM_ARMS.index(arm[0]), arm[1]


def table() -> str:
    found = rows()
    of_text = [row for row in found if row["question"] == "text"]
    arms = (*TEXT_ARMS, EARLIER)
    lines = ["", f"| labels | {' | '.join(arms)} | pretrained − scratch | seeds |"]
    lines += ["|---" * 7 + "|"]
    for budget in BUDGETS:
        chosen = [row for row in of_text if row["variant"] == budget]
        these = {
            arm: {row["seed"]: row["accuracy"] for row in chosen if row["arm"] == arm}
            for arm in arms
        }
        both = sorted(set(these["pretrained"]) & set(these["from scratch"]))
        if not chosen:
            continue
        cells = [interval(list(these[arm].values())) if these[arm] else "" for arm in arms]
        gains = [these["pretrained"][seed] - these["from scratch"][seed] for seed in both]
        gain, seeds = interval(gains) if both else "", len({row["seed"] for row in chosen})
        lines.append(f"| {budget} | {' | '.join(cells)} | {gain} | {seeds} |")
    names = ("HR@10", "NDCG@10", "MRR", "HR@10 with seen", "NDCG@10 with seen")
    lines += ["", f"| what recommends | {' | '.join(names)} | s | seeds |", "|---" * 8 + "|"]
    of_items = [row for row in found if row["question"] == "recommend"]
    for arm, variant in sorted({(row["arm"], row["variant"]) for row in of_items}, key=in_order):
        these = [row for row in of_items if (row["arm"], row["variant"]) == (arm, variant)]
        cells = [interval([row[name] for row in these]) for name in names]
        seconds = np.mean([row["seconds"] for row in these])
        label = arm if variant == "untrained" else f"{arm}, {variant}"
        lines.append(f"| {label} | {' | '.join(cells)} | {seconds:.0f} | {len(these)} |")
    lines += ["", "| backend | ms a step | Hugging Face | ratio | quartiles |", "|---" * 5 + "|"]
    for row in found:
        if row["question"] == "speed":
            low, high = row["ratio_quartiles"]
            lines.append(
                f"| {row['backend']} | {row['ours_ms']} | {row['hugging_face_ms']} | "
                f"{row['ratio']} | {low} to {high} |"
            )
    return "\n".join(lines)


def cells(question: str, seeds: int) -> list[tuple]:
    """What is asked, in the order of running it: (variant, arm, seed)."""
    if question == "text":
        return [(b, arm, seed) for seed in range(seeds) for b in BUDGETS for arm in TEXT_ARMS]
    epochs = f"{recommend.arguments([]).epochs} epochs"
    trained = [(epochs, arm, seed) for seed in range(seeds) for arm in ITEM_ARMS[2:]]
    return [("untrained", arm, 0) for arm in ITEM_ARMS[:2]] + trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=("text", "recommend", "speed", "table"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--snippets", default=sentiment.SNIPPETS)
    parser.add_argument("--rounds", type=int, default=20, help="timed steps of each")
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    backend = keras.backend.backend()
    if options.question == "speed" and options.here:
        keep({"question": "speed", "arm": "ours", "backend": backend, **run_speed(options.rounds)})
        return
    done = {(r["question"], r.get("variant"), r["arm"], r.get("seed")) for r in rows()}
    if options.question == "speed":
        timed = {row["backend"] for row in rows() if row["question"] == "speed"}
        for name in [each for each in options.backends if each not in timed]:
            command = [sys.executable, __file__, "speed", "--here", "--rounds", str(options.rounds)]
            subprocess.run(command, env={**os.environ, "KERAS_BACKEND": name}, check=True)
    elif options.question != "table":
        for variant, arm, seed in cells(options.question, options.seeds):
            if (options.question, variant, arm, seed) in done:
                continue
            row = {"question": options.question, "variant": variant, "arm": arm, "seed": seed}
            if options.question == "text":
                found = run_text(arm, variant, seed, options.snippets)
            else:
                found = run_recommend(arm, seed)
            keep({**row, "backend": backend, **found})
            keras.backend.clear_session()
    print(table())


if __name__ == "__main__":
    main()

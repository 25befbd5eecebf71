"""examples/sentiment.py and recommend.py on small files of a user's own."""

import csv

import keras
import numpy as np
import pytest

pytestmark = [pytest.mark.long, pytest.mark.only_on("torch")]


def write(path, names, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        csv.writer(file, delimiter=delimiter).writerows([names, *rows])


def test_reviews_of_a_file_are_told_apart(tmp_path, example):
    pytest.importorskip("tokenizers")
    generator = np.random.default_rng(0)
    words = {"good": ("fine", "fresh", "lovely"), "bad": ("dull", "stale", "limp"), "": ("odd",)}
    labels = ["good", "bad"] * 30 + [""] * 6
    rows = [(" ".join(generator.choice(words[label], 4)), label) for label in labels]
    write(tmp_path / "reviews.csv", ("review", "verdict"), rows)
    said = example(
        "sentiment.py",
        *("--data", tmp_path / "reviews.csv", "--columns", "review", "verdict"),
        *("--labels", 8, 10**6, "--length", 8, "--vocabulary", 300, "--width", 8),
        *("--epochs", 1, "--steps", 4, "--output", tmp_path / "out"),
    )
    assert "Pretrained on 66 texts" in said
    assert "from scratch  TF-IDF   accuracy on 12 texts" in said
    assert "'so good' is" in said
    counts = [line.split()[0] for line in said.splitlines() if line.count("  ") > 3]
    assert counts[-2:] == ["8", "48"]
    classifier = keras.saving.load_model(tmp_path / "out" / "48-labels.keras")
    assert classifier.predict(["fine fresh", "dull"], verbose=0).shape == (2, 2)


def test_what_comes_next_in_a_file_is_recommended(tmp_path, example):
    generator = np.random.default_rng(0)
    rows = [
        (f"user {user}", f"item {(start + place) % 12}", f"2026-01-{place + 1:02}")
        for user, start in enumerate(generator.integers(0, 12, 20))
        for place in range(8)
    ]
    write(tmp_path / "orders.tsv", ("customer", "product", "date"), rows)
    said = example(
        "recommend.py",
        *("--data", tmp_path / "orders.tsv", "--columns", "customer", "product", "date"),
        *("--length", 6, "--width", 8, "--epochs", 1, "--output", tmp_path / "out"),
    )
    assert "160 interactions, 20 users, 12 items." in said
    for name in ("popularity", "item-kNN", "SequenceRecommender"):
        assert f"\n{name}" in said
    recommender = keras.saving.load_model(tmp_path / "out" / "recommender.keras")
    assert recommender.recommend([[3, 4]], k=2).items.shape == (1, 2)


def test_mistakes_are_one_line_and_an_error(tmp_path, refusal):
    write(tmp_path / "a.csv", ("text", "label"), [("a", "1"), ("b", "2"), ("c", "3")])
    write(tmp_path / "b.csv", ("user", "item", "time"), [("a", "x", 1), ("a", "y", 2)])
    file = tmp_path / "a.csv"
    for name, arguments, message in (
        ("sentiment.py", ("--data", tmp_path / "vaderSentiment-3.3.2.tar.gz"), "pip download"),
        ("sentiment.py", ("--data", file), "--columns label: needs two classes, got ['1', '2'"),
        ("sentiment.py", ("--data", file, "--columns", "a", "b"), "--columns a: "),
        ("sentiment.py", ("--labels", 1), "--labels must be at least 2, got 1"),
        ("recommend.py", ("--data", file), "--columns user: "),
        ("recommend.py", ("--data", tmp_path / "b.csv"), "no user has four items"),
        ("recommend.py", ("--data", tmp_path / "none.csv"), "No such file"),
        ("recommend.py", ("--length", 3), "--length must be at least 4"),
    ):
        assert message in refusal(name, *arguments)

"""Docstrings say what a thing does, and their examples run as pasted."""

import ast
import re
from pathlib import Path

import keras
import pytest

import keras_simmim as ks

ROOT = Path(ks.__file__).parent
PACKAGES = (
    ks.data,
    ks.masking,
    ks.backbones,
    ks.aggregation,
    ks.heads,
    ks.evaluation,
    ks.training,
    ks.training.callbacks,
    ks.export,
)
# Contracts and results, which are not called by name.
WITHOUT_EXAMPLE = {
    "Backbone",
    "Head",
    "Measured",
    "PretrainingRecipe",
    "Resumed",
}

# `run_functions_eagerly` says so of each dataset.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")

NO_VERB = {"a", "an", "the", "what", "which", "whether", "where", "how", "by", "of", "one", "all"}


def docstrings():
    """Yield the file, the name and the docstring of all classes, functions and methods."""
    for file in sorted(ROOT.rglob("*.py")):
        path = file.relative_to(ROOT).with_suffix("").as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and (
                text := ast.get_docstring(node)
            ):
                yield path, node.name, text


def runs_here(index, path):
    """Say whether this backend runs an example.

    torch, which is the fastest, runs all; JAX and TensorFlow run a third each of what goes through
    Keras' trainer.
    """
    backend = keras.backend.backend()
    is_share = index % 3 == ("jax", "torch", "tensorflow").index(backend)
    return backend == "torch" or (is_share and path.startswith(("evaluation/", "training/")))


EXAMPLES = {
    (path, name): match[1]
    for path, name, text in docstrings()
    if (match := re.search(r"```python\n(.*?)```", text, re.DOTALL))
}
NEED_PACKAGES = (
    "export/",
    "data/sources/huggingface",
    "data/sources/parquet",
    "data/sources/tfds",
    "data/text/tokenizer",
    "data/text/train_tokenizer",
    "evaluation/coco_metrics",
    "evaluation/detection_quality",
)
SHARE = [
    # Exports take long; both need packages of their own. What torch runs is enough for a fast tier.
    pytest.param(
        place,
        marks=[pytest.mark.long]
        if place[0].startswith(NEED_PACKAGES)
        else [pytest.mark.fast_on("torch")],
    )
    for index, place in enumerate(EXAMPLES)
    if runs_here(index, place[0])
]


@pytest.fixture(autouse=True, scope="module")
def without_tracing():
    """Let TensorFlow run train steps eagerly: each example has a model of its own to compile."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def numbers_in(value):
    """All numbers in a value or a text, in order."""
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", str(value))]


@pytest.mark.any_backend
def test_the_public_names_have_examples():
    public = {
        name for package in PACKAGES for name in package.__all__ if name[0].isupper() or "_" in name
    }
    assert public - WITHOUT_EXAMPLE <= {name for _, name in EXAMPLES}


@pytest.mark.any_backend
def test_the_first_lines_begin_with_a_verb():
    """What the linter's D401 leaves open: classes, properties, and first words that no verb has."""
    wrong = []
    for path, name, text in docstrings():
        word = re.match(r"\w*", text)[0].lower()
        is_verb = word.isalpha() and word not in NO_VERB and not re.search(r"[^s]s$", word)
        if not is_verb:
            wrong.append(f"{path}: {name}: {text.splitlines()[0]}")
    assert not wrong


@pytest.mark.parametrize("place", SHARE, ids=":".join)
def test_an_example_runs_and_gives_what_its_comment_says(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, name = place
    code = EXAMPLES[place].rstrip()
    if keras.backend.backend() == "torch":
        import torch

        torch.set_printoptions(precision=8)
    names: dict = {}
    *statements, last = ast.parse(code).body
    exec(compile(ast.Module(statements, []), name, "exec"), names)
    assert isinstance(last, ast.Expr)
    value = eval(compile(ast.Expression(last.value), name, "eval"), names)
    _, _, comment = code.splitlines()[-1].partition("#")
    if isinstance(value, bool | str):
        assert str(value) in comment
    said = numbers_in(comment)
    assert numbers_in(value)[: len(said)] == pytest.approx(said[: len(numbers_in(value))], rel=1e-5)

"""The examples of the docstrings run, and give what their comments say."""

import ast
import importlib
import inspect
import pkgutil
import re

import keras
import numpy as np
import pytest

import keras_simmim as ks

# `data` needs files, and SimMIM's own example trains a large model.
PACKAGES = (
    ks.masking,
    ks.backbones,
    ks.aggregation,
    ks.heads,
    ks.evaluation,
    ks.training,
    ks.export,
)


def documented():
    """All classes and functions with an example, by name."""
    found = {}
    for package in PACKAGES:
        for information in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(information.name)
            for name, member in vars(module).items():
                if getattr(member, "__module__", None) == module.__name__:
                    text = inspect.getdoc(member) or ""
                    if "```python" in text:
                        found[name] = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    return found


EXAMPLES = documented()


def numbers_in(value):
    """All numbers in a value or a text, in order."""
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", str(value))]


def test_the_public_names_have_examples():
    public = {
        name for package in PACKAGES for name in package.__all__ if name[0].isupper() or "_" in name
    }
    assert public - {"Backbone", "MaskGenerator"} <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_gives_what_its_comment_says(
    name, make_model, images, tmp_path, monkeypatch, tensorflow_process
):
    monkeypatch.chdir(tmp_path)
    code = inspect.cleandoc(EXAMPLES[name])
    model = make_model()
    names = {"keras": keras, "ops": keras.ops, "np": np, "images": images, "model": model}
    names["backbone"] = model.backbone
    for package in PACKAGES:
        for information in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            names.update(vars(importlib.import_module(information.name)))
    *statements, last = ast.parse(code).body
    for statement in statements:
        exec(compile(ast.Module([statement], []), name, "exec"), names)
    assert isinstance(last, ast.Expr)
    value = eval(compile(ast.Expression(last.value), name, "eval"), names)
    _, _, comment = code.splitlines()[-1].partition("#")
    said = numbers_in(comment)
    assert numbers_in(value)[: len(said)] == said[: len(numbers_in(value))]

"""Examples are run without a process of their own: to start one takes longer than most of them."""

import runpy
import sys
import warnings
from pathlib import Path

import pytest

import keras_simmim as ks

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def started(monkeypatch):
    """A function that runs an example with these arguments in this process."""

    def run(script, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [script, *map(str, arguments)])
            patch.setenv("COLUMNS", "200")
            patch.syspath_prepend(EXAMPLES)
            runpy.run_path(str(EXAMPLES / script), run_name="__main__")

    return run


@pytest.fixture
def example(started, capsys):
    """A function that runs an example, which must succeed, and returns what it printed."""

    def run(script, *arguments):
        with warnings.catch_warnings():
            # Keras' evaluate and predict, at the end of data of unknown size.
            warnings.filterwarnings("ignore", "Your input ran out of data")
            started(script, *arguments)
        return capsys.readouterr().out

    return run


@pytest.fixture
def refusal(started, capsys):
    """A function that runs an example, which must end with an error, and returns its last line."""

    def run(script, *arguments):
        with pytest.raises(SystemExit) as end:
            started(script, *arguments)
        if isinstance(end.value.code, str):
            assert "\n" not in end.value.code
            return end.value.code
        assert end.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]

    return run


def vit_of_one_block(vit):
    """The same class, with one block whatever is asked for."""
    return lambda *arguments, **settings: vit(*arguments, **{**settings, "num_layers": 1})


@pytest.fixture
def shallow(monkeypatch):
    """Every ViT gets one block: the examples' own take long to compile."""
    monkeypatch.setattr(ks.backbones, "ViT", vit_of_one_block(ks.backbones.ViT))

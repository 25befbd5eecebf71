"""Examples that refuse what they are asked are run without a process of their own."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def refusal(monkeypatch, capsys):
    """A function that runs an example, which must end with an error, and returns its last line."""

    def run(script, *arguments):
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        monkeypatch.syspath_prepend(EXAMPLES)
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        if isinstance(end.value.code, str):
            assert "\n" not in end.value.code
            return end.value.code
        assert end.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]

    return run

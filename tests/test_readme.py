"""What the README shows runs as it stands there."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_quickstart_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (quickstart,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict = {}
    exec(quickstart, names)
    assert names["embeddings"].shape == (64, 32)
    assert tuple(names["features"].shape) == (8, 8, 8, 32)
    assert (tmp_path / "pretrained.keras").exists()

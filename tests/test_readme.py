"""What the README shows runs as it stands there."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_quickstart_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(examples) == 4
    names: dict = {}
    for example in examples:
        exec(example, names)
    assert names["model"].mask_generator.names == ("spatial", "color", "texture")
    assert names["embeddings"].shape == (64, 32)
    assert tuple(names["features"].shape) == (8, 8, 8, 32)
    assert names["probabilities"].shape == (16, 2)
    assert (tmp_path / "pretrained.keras").exists()
    assert {"learning_rate", "data_wait_share", "embedding_rank"} <= set(names["history"])
    assert (tmp_path / "run" / "report.html").exists()

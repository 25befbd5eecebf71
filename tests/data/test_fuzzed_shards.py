"""Hundreds of damaged shards cost their own rows, and never a run."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import fuzz
import fuzz_shards

sys.path.pop(0)

pytestmark = pytest.mark.long

ROWS = 3  # of a whole shard


@pytest.mark.any_backend
@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_damaged_shards(tmp_path, kind):
    one = getattr(fuzz_shards, kind)(tmp_path, fuzz.Fuzz(1))
    for _ in range(4):
        dataset = one()
        whole = ROWS * (fuzz_shards.SHARDS + 1)
        assert ROWS < dataset.image_count < whole
        assert len(dataset.broken_files) > fuzz_shards.SHARDS // 2
        assert all(str(tmp_path) in name for name in dataset.broken_files)

"""The standard deviation and the effective rank of embeddings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.evaluation import embedding_statistics


def statistics(embeddings):
    values = embedding_statistics(ops.array(embeddings.astype("float32")))
    return {name: float(ops.convert_to_numpy(value)) for name, value in values.items()}


@given(count=st.integers(2, 12), width=st.integers(1, 12), seed=st.integers(0, 100))
def test_they_are_those_of_the_covariance(count, width, seed):
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(size=(count, width)) * generator.uniform(0.1, 3, width) + 5
    eigenvalues = np.linalg.eigvalsh(np.cov(embeddings.T, bias=True).reshape(width, width))
    assert statistics(embeddings) == {
        "embedding_std": pytest.approx(embeddings.std(axis=0).mean(), rel=1e-3),
        "embedding_rank": pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rel=1e-3),
    }


def test_collapse_is_seen():
    one_point = statistics(np.ones((8, 4)))
    assert one_point == {"embedding_std": 0, "embedding_rank": 0}
    one_line = statistics(np.outer(np.arange(8), [1, 2, 3, 4]))
    assert one_line["embedding_rank"] == pytest.approx(1, rel=1e-4)
    assert one_line["embedding_std"] > 1

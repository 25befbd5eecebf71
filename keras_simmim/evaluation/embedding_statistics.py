"""Whether embeddings have collapsed: how much they vary, and in how many directions."""

from keras import ops

from keras_simmim.backend.types import Tensor


def embedding_statistics(embeddings: Tensor) -> dict[str, Tensor]:
    """Measure the standard deviation and the effective rank of a batch of embeddings.

    Both fall when a network maps all images to one point (deviation 0) or onto few directions
    (rank near 1).

    Args:
        embeddings: (N, D), N at least 2.

    Returns:
        "embedding_std": the mean over dimensions of the standard deviation over images; and
        "embedding_rank": (Σλ)² / Σλ² of the eigenvalues λ of the covariance, between 1 and
        min(N − 1, D): the number of directions, were all used alike. Scalars.

    Source: the participation ratio, as in Gao et al., "A theory of multineuronal
    dimensionality", 2017.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    statistics = ks.evaluation.embedding_statistics(corners)
    float(statistics["embedding_std"]), float(statistics["embedding_rank"])   # 1.0, 2.0
    ```
    """
    centered = ops.cast(embeddings, "float32")
    centered = centered - ops.mean(centered, axis=0, keepdims=True)
    # Σλ² of XᵀX is that of XXᵀ: the smaller product serves.
    narrow = centered.shape[1] <= (centered.shape[0] or 0)
    gram = (
        ops.matmul(ops.transpose(centered), centered)
        if narrow
        else ops.matmul(centered, ops.transpose(centered))
    )
    rank = ops.divide_no_nan(ops.square(ops.trace(gram)), ops.sum(ops.square(gram)))
    deviation = ops.mean(ops.sqrt(ops.mean(ops.square(centered), axis=0)))
    return {"embedding_std": deviation, "embedding_rank": rank}

"""Whether embeddings have collapsed: how much they vary, and in how many directions."""

from keras import ops

from keras_simmim.backend.types import Tensor


def embedding_statistics(embeddings: Tensor) -> dict[str, Tensor]:
    """Standard deviation and effective rank of a batch of embeddings.

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
    corners = ops.convert_to_tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    {name: float(value) for name, value in embedding_statistics(corners).items()}   # 1.0, 2.0
    ```
    """
    centred = ops.cast(embeddings, "float32")
    centred = centred - ops.mean(centred, axis=0, keepdims=True)
    # Σλ² of XᵀX is that of XXᵀ: the smaller product serves.
    narrow = centred.shape[1] <= (centred.shape[0] or 0)
    gram = (
        ops.matmul(ops.transpose(centred), centred)
        if narrow
        else ops.matmul(centred, ops.transpose(centred))
    )
    rank = ops.divide_no_nan(ops.square(ops.trace(gram)), ops.sum(ops.square(gram)))
    deviation = ops.mean(ops.sqrt(ops.mean(ops.square(centred), axis=0)))
    return {"embedding_std": deviation, "embedding_rank": rank}

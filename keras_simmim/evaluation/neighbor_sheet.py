"""A picture of images beside those that the model finds similar."""

import numpy as np
from numpy.typing import ArrayLike

from keras_simmim.evaluation.knn import nearest
from keras_simmim.evaluation.lay_out import lay_out
from keras_simmim.evaluation.rgb_pictures import Shown


def neighbor_sheet(
    queries: np.ndarray,
    query_embeddings: ArrayLike,
    images: np.ndarray,
    embeddings: ArrayLike,
    neighbors: int = 5,
    scale: int = 1,
    shown_channels: Shown = None,
) -> np.ndarray:
    """Lay out each query and, behind a gap, its most similar images, most similar first.

    Args:
        queries: array (Q, H, W, C), uint8 or float 0–255, one row of the sheet each.
        query_embeddings: (Q, D) float array.
        images: array (N, H, W, C), likewise, to choose from.
        embeddings: (N, D) float array.
        neighbors: images beside each query, from 1 to N.
        scale: enlargement, a whole number of pixels for each.
        shown_channels: numbers of the channels to show as red, green and blue, or of one as gray;
            the first three if None, or the first of one or two.

    Returns:
        uint8 array (height, width, 1 or 3).

    Raises:
        ValueError: for numbers of images and embeddings that differ, or too many neighbors.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    embeddings = np.random.normal(size=(8, 16))
    queries, query_embeddings = images[:2], embeddings[:2]
    sheet = ks.evaluation.neighbor_sheet(queries, query_embeddings, images, embeddings, neighbors=3)
    sheet.shape   # (52, 115, 3)
    ```
    """
    vectors, query_vectors = np.asarray(embeddings), np.asarray(query_embeddings)
    if len(vectors) != len(images) or len(query_vectors) != len(queries):
        raise ValueError(
            "there must be an embedding for each image, got "
            f"{len(query_vectors)} for {len(queries)} queries and {len(vectors)} for {len(images)} "
            "images."
        )
    if not 1 <= neighbors <= len(images):
        raise ValueError(f"neighbors must be from 1 to {len(images)}, got {neighbors!r}.")
    _, chosen = nearest(query_vectors, vectors, neighbors)
    gap = np.full((*queries.shape[1:2], max(1, queries.shape[2] // 8), queries.shape[3]), 255)
    rows = [[query, gap, *images[indices]] for query, indices in zip(queries, chosen, strict=True)]
    titles = ["image", "", "most similar first", *[""] * (neighbors - 1)]
    return lay_out(rows, scale, titles=titles, shown_channels=shown_channels)

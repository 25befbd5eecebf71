"""Views beside images on one batch axis, for layers that know no views, and apart again."""

from keras import ops

from keras_simmim.backend.types import Tensor


def join_views(views: Tensor) -> Tensor:
    """Join views with images: (B, V, …) → (B·V, …)."""
    return ops.reshape(views, (-1, *views.shape[2:]))


def split_views(images: Tensor, views: int) -> Tensor:
    """Part views from images: (B·V, …) → (B, V, …)."""
    return ops.reshape(images, (-1, views, *images.shape[1:]))

"""A loss that is square for small errors and linear for large ones."""

from keras import ops

from keras_simmim.backend.types import Tensor


def smooth_l1(errors: Tensor, bend: float = 1.0) -> Tensor:
    """Measure errors e by e² / (2·bend) where |e| < bend, and by |e| − bend / 2 elsewhere.

    Args:
        errors: of any shape.
        bend: where the square goes over into the line, above 0.

    Returns:
        float32 of the shape of the errors.

    Source: Girshick, "Fast R-CNN", ICCV 2015, equation 3, where bend is 1.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.smooth_l1 import smooth_l1

    smooth_l1(ops.array([0.5, -2.0]))   # [0.125, 1.5]
    ```
    """
    sizes = ops.abs(ops.cast(errors, "float32"))
    small = ops.minimum(sizes, bend)
    return sizes - small + ops.square(small) / (2.0 * bend)

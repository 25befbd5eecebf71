"""What an assignment of anchors or points to true boxes says."""

from typing import NamedTuple

from keras_simmim.backend.types import Tensor


class Match(NamedTuple):
    """Say of each anchor or point which true box it answers for.

    What is neither positive nor negative counts nothing.

    Attributes:
        indices: int32 (B, N), the row of its true box; any row where it is not positive.
        positive: bool (B, N), whether it is to find that box.
        negative: bool (B, N), whether it is to find nothing.
    """

    indices: Tensor
    positive: Tensor
    negative: Tensor

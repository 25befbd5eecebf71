"""Space: a hidden block loses all of itself."""

import dataclasses

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.modalities.modality import Modality


@keras.saving.register_keras_serializable("keras_simmim")
@dataclasses.dataclass(frozen=True)
class Spatial(Modality):
    """Hide all of a block: the basis is the identity, and every coefficient is chosen.

    Source: Xie et al., "SimMIM", CVPR 2022, section 3.2.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    float(ops.sum(ks.masking.Spatial().selection((2, 2, 3))))   # 12.0: all coefficients
    ```
    """

    name = "spatial"
    hides_all = True

    def analyze(self, blocks: Tensor) -> Tensor:
        """Return the blocks themselves."""
        return blocks

    def synthesize(self, coefficients: Tensor) -> Tensor:
        """Return the coefficients themselves."""
        return coefficients

    def project(self, blocks: Tensor) -> Tensor:
        """Return everything; of a single vector (C,) too, which is the same in every position."""
        return blocks

    def selection(self, block_shape: tuple[int, int, int]) -> Tensor:
        """Mark all coefficients."""
        return ops.ones(block_shape)

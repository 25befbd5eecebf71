"""Names for types that Keras leaves to the backend."""

from typing import Any, TypeAlias

# A tensor of whichever backend is in use: the three have no common class.
Tensor: TypeAlias = Any
# Sizes are integers, None where the batch decides.
Shape: TypeAlias = tuple[Any, ...]
Config: TypeAlias = dict[str, Any]

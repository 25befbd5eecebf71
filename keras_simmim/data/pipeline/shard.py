"""Which slice of each batch this process reads."""

from dataclasses import dataclass
from typing import Any

from keras_simmim.data import arguments


@dataclass(frozen=True)
class Shard:
    """Be one of several contiguous slices, of equal sizes, that each batch is cut into.

    Args:
        index: number of the slice, from 0.
        count: slices.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def from_arguments(cls, shard: Any, shards: Any, *, batch_size: int, training: bool) -> "Shard":
        """Return the slice that the arguments of a source describe.

        Args:
            shard: number of the slice; None, as `shards` then is: in training that of this process
                among those which train together, otherwise the whole.
            shards: slices.
            batch_size: examples in a whole batch.
            training: whether the data are for training.

        Raises:
            ValueError: if a number is no integer or out of bounds, one of both is given alone, or
                batches cannot be cut evenly.
        """
        if shard is None and shards is None:
            if not training:
                return cls()
            # Keras' backend is imported when it is first used.
            from keras_simmim.backend import processes

            found = cls(processes.index(), processes.count())
            reason = f"the {found.count} processes that train together"
        else:
            count = _as_integer("shards", shards, "shard", shard)
            index = _as_integer("shard", shard, "shards", shards)
            if count < 1:
                raise ValueError(f"shards must be at least 1, got {count}.")
            if not 0 <= index < count:
                raise ValueError(
                    f"shard must be from 0 to {count - 1}, below shards={count}, got {index}."
                )
            found = cls(index, count)
            reason = f"shards={count}"
        if batch_size % found.count:
            raise ValueError(
                f"batch_size must be a multiple of {found.count}, so that {reason} have equal "
                f"parts of a batch, got {batch_size}."
            )
        return found

    def bounds(self, size: Any) -> tuple[Any, Any]:
        """Return where the slice of a batch of `size` examples begins, and where it ends."""
        return self.index * size // self.count, (self.index + 1) * size // self.count


def _as_integer(name: str, value: Any, other: str, given: Any) -> int:
    """Return `value` as an int.

    Raises:
        ValueError: if it is none, or only the other argument is given.
    """
    if value is None:
        raise ValueError(
            f"{name} must be given with {other}, got {other}={given!r} alone; without both, each "
            "process has its own part in training."
        )
    try:
        return arguments.as_integer(name, value)
    except TypeError as error:
        raise ValueError(str(error)) from None

"""Which iteration over a source is which epoch, and what a batch is."""

from dataclasses import dataclass

from keras_simmim.data.pipeline.epochs import Epochs


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """Say which iteration is which epoch, and what a batch is.

    Args:
        epochs: the numbering of the iterations.
        batch_size: examples in a batch.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless it
            is the only one.
        examples: what errors call the examples.
    """

    epochs: Epochs
    batch_size: int
    drop_remainder: bool | None
    examples: str = "images"

    def batch_count(self, count: int) -> int:
        """Return the number of batches of an epoch of `count` examples.

        Raises:
            ValueError: as `drops_remainder`.
        """
        batches, rest = divmod(count, self.batch_size)
        return batches if self.drops_remainder(count) else batches + bool(rest)

    def drops_remainder(self, count: int | None) -> bool:
        """Return whether an incomplete last batch is left out of an epoch of `count` examples.

        Raises:
            ValueError: if that would leave nothing.
        """
        is_one_partial_batch = count is not None and count < self.batch_size
        if self.drop_remainder is None:
            return self.epochs.training and not is_one_partial_batch
        if self.drop_remainder and is_one_partial_batch:
            raise ValueError(
                f"drop_remainder=True would drop all {count} {self.examples}: "
                f"batch_size must be at most {count}, got {self.batch_size}."
            )
        return self.drop_remainder

"""Which iteration over a source is which epoch, and what a batch is."""

from dataclasses import dataclass, field

from keras_simmim.data.pipeline.epoch_part import EpochPart
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.shard import Shard


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """Say which iteration is which epoch, and what a batch is.

    Args:
        epochs: the numbering of the iterations.
        batch_size: examples in a batch, over all shards.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless it
            is the only one.
        examples: what errors call the examples.
        shard: which slice of each batch is read.
    """

    epochs: Epochs
    batch_size: int
    drop_remainder: bool | None
    examples: str = "images"
    shard: Shard = field(default_factory=Shard)

    def part(self, count: int | None) -> EpochPart:
        """Return the part of an epoch of `count` examples that is read.

        Raises:
            ValueError: as `drops_remainder`, or if an incomplete last batch of unknown size would
                have to be cut.
        """
        drops = self.drops_remainder(count)
        if count is None and not drops and self.shard.count > 1:
            raise ValueError(
                f"drop_remainder must be True for shards={self.shard.count} of an unknown number "
                f"of {self.examples}, got {self.drop_remainder}."
            )
        return EpochPart(
            shard=self.shard, batch_size=self.batch_size, count=count, drops_remainder=drops
        )

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

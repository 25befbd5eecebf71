"""What becomes of the records of a source."""

from dataclasses import dataclass
from typing import Unpack, cast

from keras_simmim.data import arguments
from keras_simmim.data.geometry.crop_arguments import Crop, CropArguments, choose_crop
from keras_simmim.data.geometry.random_crop import RandomCrop
from keras_simmim.data.pipeline.batch_plan import BatchPlan
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.host import leave_gpu_to_backend
from keras_simmim.data.pipeline.shard import Shard
from keras_simmim.data.pipeline.source_arguments import SourceArguments

_MOST_CROPS = 8


@dataclass(frozen=True, kw_only=True)
class Plan(BatchPlan):
    """Say how images are cropped, which iteration is which epoch, and what a batch is.

    `BatchPlan` describes the other arguments.

    Args:
        crop: the description of the crops.
        crops: crops of each image.
    """

    crop: Crop
    crops: int

    @classmethod
    def from_arguments(
        cls,
        image_size: int | tuple[int, int] | None,
        batch_size: int,
        *,
        training: bool,
        seed: int,
        dense: bool = False,
        **shared: Unpack[SourceArguments],
    ) -> "Plan":
        """Return the plan that the arguments of a source describe.

        Args:
            image_size: as in `from_arrays`, like the next three.
            batch_size: images in a batch, over all shards.
            training: whether order and crops are random.
            seed: of both.
            dense: whether masks or boxes follow the crop, which then has other defaults.
            **shared: what all sources take.

        Raises:
            ValueError: if arguments contradict each other, or one is out of bounds.
            TypeError: if an argument has another type or an unknown name.
        """
        known = sorted(SourceArguments.__optional_keys__)
        for name in shared:
            if name not in known:
                raise TypeError(
                    f"got an unexpected argument {name!r}; all sources accept {', '.join(known)}."
                )
        # A source's first act: TensorFlow keeps the devices that it has once used.
        leave_gpu_to_backend()
        training = arguments.as_flag("training", training)
        given = {
            name: value for name, value in shared.items() if name in CropArguments.__optional_keys__
        }
        drop_remainder = shared.get("drop_remainder")
        if drop_remainder is not None:
            arguments.as_flag("drop_remainder", drop_remainder)
        batch_size = arguments.as_integer("batch_size", batch_size, minimum=1)
        shard = Shard.from_arguments(
            shared.get("shard"), shared.get("shards"), batch_size=batch_size, training=training
        )
        crop = choose_crop(
            shared.get("crop"),
            image_size=image_size,
            training=training,
            given=cast(CropArguments, given),
            dense=dense,
        )
        return cls(
            crop=crop,
            crops=_checked_crops(shared.get("crops", 1), crop),
            epochs=Epochs(
                training=training,
                seed=seed,
                epoch=shared.get("epoch", 0),
                first_batch=shared.get("first_batch", 0),
            ),
            batch_size=batch_size,
            drop_remainder=drop_remainder,
            shard=shard,
        )


def _checked_crops(count: int, crop: Crop) -> int:
    """Return the number of crops of each image.

    Raises:
        ValueError: if it is out of bounds, or all of them would be the same.
        TypeError: if it is no integer.
    """
    crops = arguments.as_integer("crops", count, minimum=1)
    if crops > _MOST_CROPS:
        raise ValueError(f"crops must be from 1 to {_MOST_CROPS}, got {crops}.")
    if crops > 1 and not isinstance(crop, RandomCrop):
        raise ValueError(
            f"crops={crops} needs training=True and random crops: those of an image would all be "
            f"the same, got {crop!r}. Leave crops out, or give training=True and a RandomCrop."
        )
    return crops

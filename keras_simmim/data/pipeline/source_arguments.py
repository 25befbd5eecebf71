"""The arguments that all sources take."""

from keras_simmim.data.geometry.crop_arguments import Crop, CropArguments


class SourceArguments(CropArguments, total=False):
    """Name the arguments that `image_folder`, `from_arrays` and all other sources of images share.

    Each may be left out. What contradicts another argument is refused.

    Where several processes train together, each reads a part of its own, a shard. Of n shards the
    i-th gives the rows [i·B/n, (i+1)·B/n) of each batch of B images that one process would read,
    with the same crops and flips, and does not read the others. An incomplete last batch of c
    images is cut at i·c/n, rounded down, so that all shards have as many batches, of which the last
    may be empty. The numbers of images and of batches are those of the whole.

    Of files that others read, a source looks at a few as it is made. In training another image
    takes the place of one that cannot be read, the same as without shards, whoever else reads it.
    With `training=False` one process closes up the rows behind such an image; shards, which do not
    know of each other's files, leave its place empty, and their batches may differ in size.

    Args:
        crop: a `RandomCrop`, `CenterCrop` or `WholeImage` with the size of the images, instead of
            `image_size` and of the next three. Left out, it is a `RandomCrop` in training, and
            otherwise a `CenterCrop`, or where there are masks or boxes a `WholeImage`.
        crop_scale: bounds of a training crop's share of the image's area, (0.67, 1.0), or where
            there are masks or boxes (0.3, 1.0).
        crop_ratio: bounds of a training crop's width divided by its height, (3/4, 4/3).
        flip: whether half of the training crops are mirrored left to right, True.
        crops: random crops of each image, 1 to 8, each drawn by itself; 1. Two or more, which
            learning by comparison needs, add an axis: (batch, crops, height, width, channels). The
            first are those of `crops=1`, and labels stay (batch,).
        epoch: number of the first iteration over the data set, 0; each further one is the next
            epoch. It counts as one when it gets to its third batch.
        first_batch: with which batch of its epoch the first iteration begins, 0, to go on where an
            interrupted run stopped. `cardinality()` stays that of a whole epoch.
        drop_remainder: whether an incomplete last batch is left out; None, the default: in
            training, unless it is the only batch.
        shard: the shard that is given, from 0 to `shards` − 1. Both None, the default: in training
            the shard of this process among those that train together as the data set is made;
            otherwise the whole, so that each process evaluates all. Both integers, or else a
            ValueError.
        shards: into how many shards a batch is cut, a divisor of `batch_size`, which stays that of
            the whole batch. A data set of `ks.data` tells both: its `shard_index` and `shards` are
            0 and 1 where it is whole. (`dataset.shard` is TensorFlow's.)

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (8, 32, 48, 3), dtype="uint8")
    shared: ks.data.SourceArguments = {"crop": ks.data.RandomCrop(16), "drop_remainder": False}
    dataset = ks.data.from_arrays(images, batch_size=3, **shared)
    [len(batch) for batch in dataset]   # [3, 3, 2]
    parts = [
        ks.data.from_arrays(images, batch_size=6, shard=shard, shards=3, **shared)
        for shard in range(3)
    ]
    [[len(batch) for batch in part] for part in parts]   # [[2, 0], [2, 1], [2, 1]]
    ```
    """

    crop: Crop | None
    crops: int
    epoch: int
    first_batch: int
    drop_remainder: bool | None
    shard: int | None
    shards: int | None

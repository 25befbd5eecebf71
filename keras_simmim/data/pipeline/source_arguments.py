"""The arguments that all sources take."""

from keras_simmim.data.geometry.crop_arguments import Crop, CropArguments


class SourceArguments(CropArguments, total=False):
    """Name the arguments that `image_folder`, `from_tfds` and `from_arrays` share.

    Each may be left out. What contradicts another argument is refused.

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

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (8, 32, 48, 3), dtype="uint8")
    shared: ks.data.SourceArguments = {"crop": ks.data.RandomCrop(16), "drop_remainder": False}
    dataset = ks.data.from_arrays(images, batch_size=3, **shared)
    [len(batch) for batch in dataset]   # [3, 3, 2]
    ```
    """

    crop: Crop | None
    crops: int
    epoch: int
    first_batch: int
    drop_remainder: bool | None

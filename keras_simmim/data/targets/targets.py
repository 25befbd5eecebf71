"""What the pipeline asks of whatever belongs to an image; here, nothing does."""

from typing import Any

import tensorflow as tf

from keras_simmim.data.geometry.draw_crop import DrawnCrop


class Targets:
    """Say what belongs to an image besides its pixels: in this class, nothing.

    Attributes:
        follow_crop: whether each crop of an image has targets of its own.
    """

    follow_crop = False

    def of_crop(self, record: Any, shape: tf.Tensor, drawn: DrawnCrop) -> tuple[tf.Tensor, ...]:
        """Return the targets of one image's crop.

        Args:
            record: of the source.
            shape: int32 tensor that starts with the image's height and width.
            drawn: the crop.

        Returns:
            Tensors of known shapes.

        Raises:
            tf.errors.OpError: if they cannot be read, or belong to an image of another size.
        """
        return ()

    def join(self, images: tf.Tensor, *columns: tf.Tensor) -> Any:
        """Return a batch: its images, and what `of_crop` returned, with an axis for the images."""
        return (images, *columns) if columns else images

    def why_broken(self, index: int, shape: tuple[int, int]) -> str | None:
        """Return why the targets of an image of a file are unfit, None if they are fit.

        Args:
            index: the record.
            shape: height and width of the image.
        """
        return None

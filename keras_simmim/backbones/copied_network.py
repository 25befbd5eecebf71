"""How a network is copied: for images of another size, and for a task after pretraining."""

from typing import Any, Self

import keras

from keras_simmim.backbones.resizing import copy_weights
from keras_simmim.backbones.sizes import check_image_shape
from keras_simmim.backend.types import Config
from keras_simmim.layers.frozen_parts import freeze_parts


class CopiedNetwork(keras.Model):
    """Copy a network of images with its weights.

    Subclasses have an `image_shape`, a `num_blocks`, and a configuration that says all else.
    """

    example_shape: Any

    @property
    def num_blocks(self) -> int:
        """Count the blocks that may have a drop path; 0 for none."""
        return 0

    def resize(self, image_shape: tuple[int, int, int], **changes: Any) -> Self:
        """Copy the backbone for images of another size: position tables are interpolated.

        Layers that do not learn stay so.

        Args:
            image_shape: (H, W, C) in pixels; C as it was.
            **changes: constructor arguments to change as well, such as `window_size` of Swin or
                `drop_path_rate`.

        Returns:
            A new backbone.

        Raises:
            ValueError: for another number of channels, or a change that weights do not survive.

        Source: the official code of Xie et al., "SimMIM", CVPR 2022: relative positions move to
        geometrically spaced ones, tables are interpolated by cubic splines.

        Example:
        ```python
        import keras_simmim as ks

        backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
        backbone.resize((32, 24, 3)).positions   # (4, 3)
        ```
        """
        config = {**self.get_config(), **self.shape_config(image_shape), **changes}
        resized = type(self).from_config(config)
        copy_weights(self, resized)
        return resized

    def shape_config(self, shape: Any) -> Config:
        """Give the constructor's arguments that say the shape of an example."""
        return {"image_shape": shape}

    def copy(self) -> Self:
        """Copy the backbone: equal, with weights and `trainable` flags of its own."""
        copy = type(self).from_config(self.get_config())
        copy.set_weights(self.get_weights())
        return copy

    def for_task(
        self,
        image_shape: tuple[int, int, int] | None = None,
        drop_path_rate: float | None = None,
    ) -> Self:
        """Copy the backbone for a task that follows pretraining, made ready as the paper does it.

        A table of relative positions that blocks share is copied to each, and the last norm is
        left to the task's own head, where the network has such. All of it learns, whatever was
        frozen before.

        Args:
            image_shape: (H, W, C) to which positions are interpolated; the backbone's if None.
            drop_path_rate: of the copy's last block, where it has blocks; as it was if None.

        Returns:
            A new backbone.

        Raises:
            ValueError: for a shape that the backbone cannot take.
        """
        changes = self.task_changes()
        if drop_path_rate is not None and self.num_blocks:
            changes["drop_path_rate"] = drop_path_rate
        shape = self.example_shape
        if image_shape is not None:
            shape = check_image_shape(image_shape)
            if shape[-1] != self.example_shape[-1]:
                raise ValueError(
                    f"image_shape must keep the {self.example_shape[-1]} channels that the weights "
                    f"are for, got {shape}."
                )
        if changes or shape != self.example_shape:
            ready = self.resize(shape, **changes)
        else:
            ready = self.copy()
        freeze_parts(ready, [])
        return ready

    def task_changes(self) -> Config:
        """Give the constructor arguments that a task after pretraining changes."""
        return {}

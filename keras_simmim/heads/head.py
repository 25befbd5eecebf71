"""The contract of every head: features in, and a target whose shape it learns when it is built."""

from typing import Any

import keras

from keras_simmim.backend.types import Config, Shape


class Head(keras.layers.Layer):
    """Read a target off features: the stage C and its self-supervised sibling.

    Subclasses have `build(input_shape)`, which finds the `target_shape` settled, and
    `call(features)`; one that `fills_in` takes the `places` of a `Visible` encoding as well.

    Args:
        image_shape: (H, W, C) of what to predict; that of `build_for` if None.
        **kwargs: passed to `keras.layers.Layer`.
    """

    # Whether it can predict all positions from the features of some.
    fills_in: bool = False

    def __init__(self, image_shape: tuple[int, int, int] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image_shape: Any = None if image_shape is None else tuple(image_shape)
        self._target_shape: Any = self.image_shape

    @property
    def target_shape(self) -> tuple[int, int, int]:
        """Give the shape (H, W, C) of what is predicted.

        Raises:
            ValueError: if neither the constructor nor `build_for` has said it.
        """
        if self._target_shape is None:
            raise ValueError(
                "image_shape must be (height, width, channels) before build, got None."
            )
        return self._target_shape

    def build_for(self, input_shape: Shape, target_shape: Shape) -> None:
        """Create the weights for features and a target of these shapes.

        Args:
            input_shape: (B, h, w, D) of the features.
            target_shape: (H, W, C) of the target.

        Raises:
            ValueError: if the constructor was told another shape of the target.
        """
        target_shape = tuple(target_shape)
        self._target_shape = self.image_shape or target_shape
        self.build(input_shape)
        if self._target_shape != target_shape:
            raise ValueError(
                f"{type(self).__name__} has image_shape={self.image_shape}, but the images to "
                f"predict are {target_shape}."
            )

    def get_build_config(self) -> Config:
        """Return the shapes that the weights were created for."""
        return {**(super().get_build_config() or {}), "target_shape": self._target_shape}

    def build_from_config(self, config: Config) -> None:
        """Create the weights for shapes of `get_build_config`."""
        shapes = dict(config)
        target_shape = shapes.pop("target_shape", None)
        if target_shape is not None:
            self._target_shape = tuple(target_shape)
        super().build_from_config(shapes)

    def compute_output_shape(self, input_shape: Shape, **_: Any) -> Shape:
        """Return (B, H, W, C)."""
        return (input_shape[0], *self.target_shape)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "image_shape": self.image_shape}


def build_head(head: keras.layers.Layer, input_shape: Shape, target_shape: Shape) -> None:
    """Create the weights of a head, or of any layer that serves as one, unless it has them."""
    if head.built:
        return
    if isinstance(head, Head):
        head.build_for(input_shape, target_shape)
    else:
        head.build(input_shape)


def fills_in(head: keras.layers.Layer) -> bool:
    """Tell whether a head, or a layer that serves as one, predicts what was not encoded."""
    return isinstance(head, Head) and head.fills_in

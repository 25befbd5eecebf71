"""What heads of detectors share: on each level a branch for boxes and one for classes."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.convolution_block import ConvolutionBlock


class DetectionHead(keras.layers.Layer):
    """Run each level's maps through convolutions of its own, one branch for each of two outputs.

    Subclasses say how many boxes there are at a position, by what kind of scores, and what the
    biases are at first.

    Args:
        num_classes: number of classes, without a background.
        width: channels of the branches.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.
    """

    # Convolutions of a branch before its last.
    depth = 2
    # What the outputs of untrained branches are about.
    first_box: float = 0.0
    first_score: float = 0.0

    def __init__(self, num_classes: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("num_classes", num_classes), ("width", width)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
        self.num_classes = num_classes
        self.width = width

    @property
    def boxes_of_position(self) -> int:
        """Count the boxes of a position."""
        return 1

    @property
    def num_scores(self) -> int:
        """Count the scores of a box."""
        return self.num_classes

    def build(self, input_shape: list[Shape]) -> None:
        """Create the weights for maps [(B, h, w, c), …]."""
        self.box_branches, self.class_branches = [], []
        for level, shape in enumerate(input_shape):
            box = self._branch(f"box_{level}", 4, self.first_box, shape)
            self.box_branches.append(box)
            scores = self._branch(f"class_{level}", self.num_scores, self.first_score, shape)
            self.class_branches.append(scores)

    def _branch(self, name: str, size: int, first: float, shape: Shape) -> list[Any]:
        block = ConvolutionBlock(
            self.width, self.depth, name=f"{name}_block", dtype=self.dtype_policy
        )
        last = keras.layers.Conv2D(
            self.boxes_of_position * size,
            1,
            data_format="channels_last",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(first),
            name=name,
            dtype=self.dtype_policy,
        )
        block.build(shape)
        last.build((*shape[:3], self.width))
        return [block, last]

    def call(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Predict at the N boxes of all levels: level by level, row by row, box by box.

        Args:
            maps: [(B, h, w, c), …].

        Returns:
            float32 (B, N, 4), what is said of the boxes, and float32 (B, N, S), their scores.
        """
        boxes, scores = (
            [last(block(each)) for each, (block, last) in zip(maps, branches, strict=True)]
            for branches in (self.box_branches, self.class_branches)
        )
        return self._joined(boxes, 4), self._joined(scores, self.num_scores)

    def _joined(self, parts: list[Tensor], size: int) -> Tensor:
        rows = [
            ops.reshape(part, (-1, part.shape[1] * part.shape[2] * self.boxes_of_position, size))
            for part in parts
        ]
        return ops.cast(ops.concatenate(rows, axis=1), "float32")

    def compute_output_shape(self, input_shape: list[Shape]) -> tuple[Shape, Shape]:
        """Return (B, N, 4) and (B, N, S)."""
        count = self.boxes_of_position * sum(shape[1] * shape[2] for shape in input_shape)
        batch = input_shape[0][0]
        return (batch, count, 4), (batch, count, self.num_scores)

    def compute_output_spec(self, maps: list[Tensor], **_: Any) -> tuple[Any, Any]:
        """Return the symbols of the results, which are float32 under any policy."""
        boxes, classes = self.compute_output_shape([each.shape for each in maps])
        return keras.KerasTensor(boxes, "float32"), keras.KerasTensor(classes, "float32")

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes, "width": self.width}

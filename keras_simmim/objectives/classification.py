"""Name the classes of those images of a batch that have a label."""

from collections.abc import Callable

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.objectives.integer_labels import integer_labels
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective


class Classification(Objective):
    """Measure the cross-entropy and the accuracy over the labelled images.

    Both are means in which an image counts its sample weight, and in the loss also its class
    weight.

    Args:
        logits_of: from a pass and `training` to float32 logits (B, K).
        weight: factor of the loss in the model's.

    Source: the stage C of "Self-supervised Modeling with Multi-modal Iterative Masking".
    """

    name = "classification"

    def __init__(
        self, logits_of: Callable[[MaskedPass, bool], Tensor], weight: float = 1.0
    ) -> None:
        super().__init__(weight)
        self.logits_of = logits_of

    def log_names(self) -> tuple[str, ...]:
        """List the names of the loss and of the accuracy."""
        return (*super().log_names(), "accuracy")

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the labelled images of a batch; empty for a batch without labels.

        A label that is no class makes the loss NaN.

        Raises:
            ValueError: for labels of another shape than (B,) or (B, 1), such as one-hot ones.
        """
        labels = masked_pass.labels
        if labels is None:
            return {}
        logits = self.logits_of(masked_pass, training)
        labels, factor = integer_labels(labels, logits.shape[-1])
        entropy = factor * ops.sparse_categorical_crossentropy(
            ops.maximum(labels, 0), logits, from_logits=True
        )
        named = ops.cast(ops.argmax(logits, axis=-1), "int32")
        counts = masked_pass.weights * ops.cast(labels >= 0, "float32")
        weighed = counts
        if masked_pass.label_weights is not None:
            weighed = counts * masked_pass.label_weights
        hits = ops.cast(named == labels, "float32")
        return {
            "classification_loss": Measure(entropy, weighed, ops.sum(weighed)),
            "accuracy": Measure(hits, counts, ops.sum(counts)),
        }

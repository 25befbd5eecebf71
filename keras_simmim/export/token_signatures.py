"""The graph that a server runs for sequences: tokens or histories in, classes or items out.

- "classes": the names of the columns of "probabilities".
- "items": those of the highest "scores", of which no history has one already.

What a stranger sends is checked: a token that there is not would be an error of no name on a CPU,
and a zero on a GPU.
"""

from collections.abc import Sequence

import tensorflow as tf

from keras_simmim.export.answers import Outputs
from keras_simmim.export.traced import save, traced
from keras_simmim.models.backbone_model import BackboneModel


def write_token_signatures(
    model: BackboneModel, path: str, class_names: list[str] | None, k: int | None
) -> None:
    """Write the SavedModel of what a model of sequences says that it answers with.

    Args:
        model: on the TensorFlow backend.
        path: of the new folder.
        class_names: by class, None where there are none.
        k: how many items to name, None where there are none.
    """
    taken = model.exported_input
    tokens = tf.TensorSpec(taken.shape, tf.int32, name=taken.name)
    sizes = list(model.backbone.target_shape)

    def forward(given: tf.Tensor) -> Outputs:
        # A server does not compare what it is sent with the signature.
        given = tf.ensure_shape(given, tokens.shape)
        return model.exported(_checked(given, sizes, taken.name))

    # One graph that all signatures call: the file holds it once.
    run = traced(forward, tokens)

    def of_tokens(names: Sequence[str]) -> tf.types.experimental.ConcreteFunction:
        def call(given: tf.Tensor) -> Outputs:
            outputs = run(given)
            if "classes" in names:
                rows = tf.shape(given)[0]
                outputs["classes"] = tf.tile(tf.constant([class_names]), [rows, 1])
            if "items" in names:
                items = given if len(sizes) == 1 else given[..., 0]
                outputs |= _best(outputs["item_scores"], items, k)
            return {name: outputs[name] for name in names}

        return traced(call, tokens)

    save(path, run, {name: of_tokens(answer) for name, answer in model.signatures.items()})


def _checked(tokens: tf.Tensor, sizes: list[int], name: str) -> tf.Tensor:
    """Return tokens (B, l), or (B, l, 1 + F), that all of them are."""
    above = sizes[0] if len(sizes) == 1 else tf.constant(sizes)
    known = tf.debugging.Assert(
        tf.reduce_all((tokens >= 0) & (tokens < above)),
        [name, "must be from 0, padding, to below", above, "and are from", tf.reduce_min(tokens),
         "to", tf.reduce_max(tokens)],
    )  # fmt: skip
    with tf.control_dependencies([known]):
        return tf.identity(tokens)


def _best(scores: tf.Tensor, seen: tf.Tensor, k: int | None) -> Outputs:
    """Return the best items (B, k) and their scores, 0 and −∞ where fewer are left.

    Args:
        scores: of all items, (B, V).
        seen: items (B, l) that are not to be named.
        k: how many.
    """
    rows = tf.range(tf.shape(seen)[0])[:, None] + tf.zeros_like(seen)
    places = tf.stack([rows, seen], axis=-1)
    nothing = tf.fill(tf.shape(seen), float("-inf"))
    # Of equal scores the item of the lower number comes first.
    best, items = tf.math.top_k(tf.tensor_scatter_nd_update(scores, places, nothing), k)
    return {"items": tf.where(tf.math.is_finite(best), items, 0), "scores": best}

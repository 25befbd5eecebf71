"""Predictions of an exported version without a server, in this process."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data.pipeline.host import leave_gpu_to_backend


class ServedModel:
    """Run an exported SavedModel in this process, as a server would, under any backend.

    Args:
        path: folder of a version, which `export_saved_model` returns.

    Raises:
        OSError: if there is no SavedModel.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    served = ks.export.ServedModel(ks.export.export_saved_model(backbone, "models/cells"))
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    served.predict(images=images)["embedding"].shape   # (8, 4)
    ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        leave_gpu_to_backend()
        # The signatures hold no reference to the model that owns their weights.
        self._model = tf.saved_model.load(os.fspath(path))
        self._signatures = self._model.signatures

    def predict(
        self,
        image_bytes: Sequence[bytes] | np.ndarray | None = None,
        images: np.ndarray | None = None,
        signature: str | None = None,
        *,
        tokens: Any = None,
        histories: Any = None,
    ) -> dict[str, np.ndarray]:
        """Answer one request.

        Args:
            image_bytes: JPEG or PNG files.
            images: uint8 (B, H, W, C), instead of files; of a model with a `value_range` any real
                numbers, the values of files.
            signature: its name; "images" for images and else "serving_default" if None.
            tokens: of a model of sequences, integers (B, L) or (B, L, 1 + F), 0 for padding.
            histories: of a recommender, integers (B, l) or (B, l, 1 + F), oldest first, 0 for
                padding wherever it stands.

        Returns:
            The signature's outputs by name.

        Raises:
            ValueError: unless one of `image_bytes`, `images`, `tokens` and `histories` is given, or
                for a signature that does not take it.
            tf.errors.InvalidArgumentError: for files that are no such images, or tokens that the
                model does not know.
        """
        given = {
            "image_bytes": (image_bytes, tf.string),
            "images": (images, None),
            "tokens": (tokens, tf.int32),
            "histories": (histories, tf.int32),
        }
        requests = [(name, *each) for name, each in given.items() if each[0] is not None]
        if len(requests) != 1:
            raise ValueError(
                "give image_bytes, images, tokens or histories, one of them; got "
                f"{[name for name, *_ in requests]}."
            )
        ((key, data, kind),) = requests
        values = tf.constant(data, kind)
        signature = signature or ("images" if key == "images" else "serving_default")
        taking = {
            name: list(function.structured_input_signature[1])
            for name, function in self._signatures.items()
        }
        if taking.get(signature) != [key]:
            raise ValueError(
                f"signature must be one that takes {key!r}; got {signature!r}, there are {taking}."
            )
        wanted = self._signatures[signature].structured_input_signature[1][key].dtype
        if wanted == tf.float32:
            values = tf.cast(values, wanted)
        outputs = self._signatures[signature](**{key: values})
        return {name: value.numpy() for name, value in outputs.items()}

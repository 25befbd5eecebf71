"""Export of a model of any backend as an ONNX file, by Keras' exporter."""

import importlib.util
import os
import uuid
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_simmim.export.fresh_process import on_tensorflow
from keras_simmim.export.network import Network, Values, as_backbone_model
from keras_simmim.models.backbone_model import BackboneModel


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    mean: Values = None,
    std: Values = None,
) -> str:
    """Export a model as an ONNX file, for runtimes without TensorFlow.

    Of images, it takes "images", float32 pixels of 0–255 (B, H, W, C), or of a model with a
    `value_range` the values of files, which it scales; and it gives "embedding" (B, D)
    and, where there is a classifier, "probabilities" (B, K); of a segmenter "probabilities"
    (B, H, W, K) alone; of a detector "candidates" (B, N, 4), (left, top, right, bottom) in pixels,
    or (B, N, K, 4) where each class has its own, and "candidate_scores" (B, N, K), to be suppressed
    by whoever gets them. Nothing is decoded or resized.

    Of sequences, it takes "tokens", int32 (B, L) or (B, L, 1 + F), and gives "embedding" and, where
    there is a classifier, "probabilities". Of a recommender it takes "histories", int32 (B, l) or
    (B, l, 1 + F) of any l, oldest first, with 0 for padding wherever it stands, and gives
    "embedding" and "item_scores", float32 (B, V), a column for each item, of which that of padding
    is −∞; seen items are not left out. The runtime does not check tokens.

    Keras' exporter runs on the TensorFlow backend, as in `export_saved_model`: on torch it cannot
    export layer norms for batches of any size, on JAX it needs one more package.

    Args:
        model: a `SimMIM`, an `ImageClassifier`, an `ImageSegmenter`, an `ObjectDetector`, a
            `TextClassifier`, a `SequenceRecommender` or a `Backbone`, in float32.
        path: of the new file; it ends in ".onnx".
        mean: of the pixels per channel, in 0–255 units, for a bare `Backbone`; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.

    Returns:
        The path.

    Raises:
        FileExistsError: for a file that exists.
        ImportError: without the packages onnx and tf2onnx.
        ValueError: for another model, another precision, or another ending.
        RuntimeError: if the fresh process failed.

    Example:
    ```python
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    ks.export.export_onnx(backbone, "model.onnx")   # 'model.onnx'
    ```
    """
    exported = as_backbone_model(model, mean, std)
    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"path must end in .onnx, got {os.fspath(path)!r}.")
    if path.exists():
        raise FileExistsError(f"path={os.fspath(path)!r} exists already.")
    policies = {layer.dtype_policy.name for layer in exported._flatten_layers()}
    if policies != {"float32"}:
        raise ValueError(f"model must be float32 for ONNX, got {sorted(policies)}.")
    for package in ("onnx", "tf2onnx"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"needs the package {package}: pip install 'keras-simmim[onnx]'.")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f".unfinished-{uuid.uuid4().hex}.onnx"
    try:
        with exported.inputs_taken.without_tokenizer():
            on_tensorflow(write_onnx, exported, unfinished)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return str(path)


def write_onnx(model: BackboneModel, path: Path) -> None:
    """Write the ONNX file, on the TensorFlow backend."""
    from tf2onnx.handler import tf_op

    tf_op("Erfc")(Erfc)
    with warnings.catch_warnings():
        # Keras asks whether NumPy still has `object`.
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        Network(model).export(
            str(path), format="onnx", verbose=False, input_signature=[model.exported_input]
        )


class Erfc:
    """Convert the complementary error function of exact GELU, which tf2onnx lacks, to 1 − erf."""

    @classmethod
    def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
        """Replace the node of the graph by ONNX' own operations."""
        kind = {"dtypes": node.output_dtypes, "shapes": node.output_shapes}
        graph.remove_node(node.name)
        erf = graph.make_node("Erf", node.input, **kind)
        one = graph.make_const(f"{node.name}_one", np.ones((), "float32"))
        graph.make_node(
            "Sub", [one.output[0], erf.output[0]], name=node.name, outputs=node.output, **kind
        )

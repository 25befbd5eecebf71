"""Requests that TF Serving answers to itself before it takes a new version into service."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_simmim.data.geometry.crop_arguments import Crop
from keras_simmim.data.pipeline.cropping import crop_image
from keras_simmim.data.reading.pixel_image import PixelImage


def write_warmup(
    path: Path,
    name: str,
    images: np.ndarray,
    signatures: Iterable[str],
    takes_bytes: bool,
    crop: Crop,
) -> None:
    """Write `assets.extra/tf_serving_warmup_requests`, a TFRecord of PredictionLog.

    Each signature gets the first image alone, and all of them as one batch.

    Args:
        path: folder of the version.
        name: of the model.
        images: uint8 (N, height, width, channels) of any size, or float32 values of files.
        signatures: their names.
        takes_bytes: whether all signatures but "images" take encoded images.
        crop: what "images" takes of the images.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    pixels = tf.stack([crop_image(PixelImage(tf.constant(image)), crop) for image in images])
    if images.dtype != np.uint8:
        images = np.clip(np.rint(images), 0, 2**16 - 1).astype(np.uint16)
    encoded = [tf.io.encode_png(image) for image in images] if takes_bytes else []

    folder = path / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for signature in signatures:
            as_bytes = takes_bytes and signature != "images"
            key, values = ("image_bytes", tf.stack(encoded)) if as_bytes else ("images", pixels)
            for batch in (values[:1], values)[: len(images)]:
                request = predict_pb2.PredictRequest()
                request.model_spec.name = name
                request.model_spec.signature_name = signature
                request.inputs[key].CopyFrom(tf.make_tensor_proto(batch))
                log = prediction_log_pb2.PredictLog(request=request)
                record = prediction_log_pb2.PredictionLog(predict_log=log)
                writer.write(record.SerializeToString())

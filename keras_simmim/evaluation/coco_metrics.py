"""COCO's measures of detections, by pycocotools."""

import contextlib
import io
from typing import Any

import numpy as np

from keras_simmim.data.target_values import IGNORED_BOX
from keras_simmim.evaluation.detection_records import detection_records

# Where COCOeval puts its measures.
_PLACES = {
    "mAP": 0,
    "mAP50": 1,
    "mAP75": 2,
    "mAP_small": 3,
    "mAP_medium": 4,
    "mAP_large": 5,
    "AR100": 8,
}


def coco_metrics(detections: Any, truth: Any) -> dict[str, Any]:
    """Measure detections by COCO's average precision, as pycocotools computes it.

    Boxes are (left, top, right, bottom) in pixels; small, medium and large are true boxes of less
    than 32², up to 96² and more square pixels. Of a class, the 100 best detections of an image
    count.

    Args:
        detections: {"boxes": (N, K, 4), "scores": (N, K), "labels": (N, K)}, where the label −1
            pads, or a list of N such dictionaries without the first axis.
        truth: {"boxes": (N, M, 4), "labels": (N, M)}, or such a list. The label −1 pads; a
            detection that lies within a box of the label −2 does not count, whatever its class.

    Returns:
        "mAP", the mean precision over recalls, overlaps of 0.5 to 0.95 and classes; "mAP50" and
        "mAP75" at one overlap; "mAP_small", "mAP_medium", "mAP_large"; "AR100", the recall of 100
        detections; NaN where there is no true box. "AP_by_class" is "mAP" of each class, float64,
        up to the greatest label that occurs, NaN for classes without a true box.

    Raises:
        ImportError: without pycocotools.
        ValueError: for shapes that do not fit, boxes that are not finite, or true boxes whose
            right or bottom comes before their left or top.

    Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and its evaluation
    server.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    truth = {"boxes": np.array([[[0, 0, 40, 40], [50, 0, 90, 40.0]]]), "labels": np.array([[0, 0]])}
    found = [{"boxes": [[0, 0, 40, 40]], "scores": [0.9], "labels": [0]}]
    round(ks.evaluation.coco_metrics(found, truth)["mAP50"], 3)   # 0.505: recalls 0, 0.01, …, 0.5
    ```
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ImportError(
            "coco_metrics needs pycocotools: pip install 'keras-simmim[detection]'"
        ) from error
    found = detection_records("detections", detections, ("boxes", "scores", "labels"))
    true = detection_records("truth", truth, ("boxes", "labels"))
    if len(found) != len(true):
        raise ValueError(
            f"detections and truth must be of as many images, got {len(found)} and {len(true)}."
        )
    for index, record in enumerate(true):
        if (record["boxes"][:, 2:] < record["boxes"][:, :2]).any():
            raise ValueError(
                "boxes of truth must be (left, top, right, bottom), got one whose right or bottom "
                f"comes before its left or top in image {index}."
            )
    classes = 1 + max((int(each["labels"].max(initial=-1)) for each in true + found), default=-1)
    if not any((record["labels"] >= 0).any() for record in true):
        return dict.fromkeys(_PLACES, float("nan")) | {"AP_by_class": np.full(classes, np.nan)}
    with contextlib.redirect_stdout(io.StringIO()):
        sets = [COCO(), COCO()]
        for each, records in zip(sets, (true, found), strict=True):
            each.dataset = {
                "images": [{"id": index} for index in range(len(records))],
                "categories": [{"id": label} for label in range(classes)],
                "annotations": _annotations(records, classes),
            }
            each.createIndex()
        judge = COCOeval(*sets, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    stats = {name: _known(judge.stats[place]) for name, place in _PLACES.items()}
    # Overlaps, recalls, classes, sizes of boxes, numbers of detections.
    precision = judge.eval["precision"][:, :, :, 0, -1].mean(axis=(0, 1))
    return stats | {"AP_by_class": np.array([_known(value) for value in precision])}


def _annotations(records: list[dict[str, np.ndarray]], classes: int) -> list[dict[str, Any]]:
    """Write boxes as COCO does, (left, top, width, height), ignored ones as each class' crowd."""
    annotations: list[dict[str, Any]] = []
    for image, record in enumerate(records):
        sizes = np.maximum(record["boxes"][:, 2:] - record["boxes"][:, :2], 0)
        boxes = np.concatenate([record["boxes"][:, :2], sizes], axis=1).tolist()
        scores = record.get("scores", np.ones(len(boxes))).tolist()
        for box, score, label in zip(boxes, scores, record["labels"].tolist(), strict=True):
            common = {"image_id": image, "bbox": box, "area": box[2] * box[3], "score": score}
            ignored = label == IGNORED_BOX
            for category in range(classes) if ignored else (label,):
                # COCOeval takes the number 0 for no match.
                number = len(annotations) + 1
                names = {"id": number, "category_id": category, "iscrowd": int(ignored)}
                annotations.append(common | names)
    return annotations


def _known(value: float) -> float:
    """Give NaN for −1, by which COCOeval says that there was nothing to measure."""
    return float("nan") if value == -1 else float(value)

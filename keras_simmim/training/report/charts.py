"""The charts of a report: which of a run's numbers are drawn together, and their titles."""

from collections.abc import Mapping
from dataclasses import dataclass

from keras_simmim.training.report.line_chart import Points
from keras_simmim.training.report.run_files import RunFiles

# Shown in other ways, or of no interest by themselves.
NOT_DRAWN = {"epoch", "epoch_seconds", "evaluate_seconds", "skipped_steps", "loss"}
TITLES = {
    "learning_rate": "Learning rate",
    "gradient_norm": "Gradient norm before clipping",
    "images_per_second": "Images per second",
    "data_wait_share": "Share of time waiting for data",
    "embedding_rank": "Effective rank of embeddings",
    "embedding_std": "Spread of embeddings",
    "classification_loss": "Classification loss",
    "ranking_loss": "Loss of the blocks' ranking",
    "accuracy": "Accuracy on the training labels",
    "mean_iou": "Mean IoU",
    "pixel_accuracy": "Share of pixels with their true class",
    "mAP": "mAP",
    "mAP50": "mAP50",
}
ORDER = ("knn_accuracy", "probe_accuracy", "mean_iou", "mAP50", *TITLES)


@dataclass(frozen=True)
class Chart:
    """Group curves to draw together.

    Args:
        title: what they are.
        x_label: what their x counts.
        curves: the points of each by name.
        dots: whether the points are few and far between.
    """

    title: str
    x_label: str
    curves: Mapping[str, Points]
    dots: bool = False


def charts_of(files: RunFiles) -> list[Chart]:
    """Choose the charts of a run, the most telling first."""
    columns = dict.fromkeys(name for row in files.epochs for name in row)
    numbers = [
        name
        for name in columns
        if name not in NOT_DRAWN
        and all(isinstance(row.get(name, 0.0), float) for row in files.epochs)
    ]
    charts = [Chart("Loss of every step", "step", {"loss": files.losses})] if files.losses else []
    if not files.losses and "loss" in columns:
        charts = [Chart("Loss", "epoch", {"loss": files.curve("loss")})]
    parts = [
        name
        for name in numbers
        if name.endswith("_loss") and name not in TITLES and name != "reconstruction_loss"
    ]
    grouped = {
        "Accuracy of kNN and probes": [
            name for name in numbers if name.startswith(("knn_", "probe_"))
        ],
        "Parts of the loss": parts if len(parts) > 1 else [],
    }
    # With one modality its loss is the reconstruction's, and with nothing else the whole.
    used = {*parts, "reconstruction_loss"}
    for title, names in grouped.items():
        used |= set(names)
        if names:
            curves = {name: files.curve(name) for name in names}
            charts.append(Chart(title, "epoch", curves, dots=names[0] in files.evaluated))
    rest = [name for name in numbers if name not in used]
    for name in sorted(rest, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
        title = TITLES.get(name, name.replace("_", " "))
        curve = {name: files.curve(name)}
        charts.append(Chart(title, "epoch", curve, dots=name in files.evaluated))
    return charts

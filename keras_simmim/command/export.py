"""keras-simmim export: a model for a server, or for runtimes without TensorFlow."""

import argparse
import json
from pathlib import Path
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.opened import open_model

# What of a run's results is told by the card of an exported model.
_TOLD = ("accuracy", "balanced_accuracy", "mean_iou", "mAP", "mAP50", "loss_last")


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "export",
        run,
        "export a model for TF Serving or as ONNX",
        "A server then takes JPEG and PNG files, the ONNX file takes pixels. A "
        "pretrained model gives embeddings, a fine-tuned one classes, masks or boxes.",
        [
            "export --model runs/cats --output models/cats",
            "export --model runs/cats --output cats.onnx --format onnx",
        ],
    )
    arguments.add_model(parser)
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="the model's folder, in which each export is a new version; of onnx, the file",
    )
    parser.add_argument(
        "--format",
        choices=("saved_model", "onnx"),
        help="default: saved_model, or onnx where --output ends in .onnx",
    )
    parser.add_argument(
        "--version", type=arguments.at_least(1), metavar="N", help="default: the next one"
    )
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Export."""
    is_onnx = options.format == "onnx" or (
        options.format is None and options.output.suffix == ".onnx"
    )
    file = options.output
    if is_onnx and file.suffix != ".onnx":
        file = file / "model.onnx"
    arguments.check_output(file)
    start.load(options.backend, debug=options.debug)
    from keras_simmim import export

    model = open_model(options.model)
    if is_onnx:
        print(f"Exported to {export.export_onnx(model, file)}.")
        return
    path = export.export_saved_model(
        model, options.output, options.version, card=_card(options.model)
    )
    print(f"Exported to {path}. README.md in it says what the model takes and gives.")


def _card(name: str) -> dict[str, Any]:
    """Read what a run's summary says of its model."""
    file = Path(name) / "summary.json"
    if not file.is_file():
        return {"model": name}
    summary = json.loads(file.read_text(encoding="utf-8"))
    found = {key: summary[key] for key in _TOLD if summary.get(key) is not None}
    told = {key: summary[key] for key in ("data", "seed") if key in summary}
    return {"model": name, **told, "metrics": found}

"""Export a trained model for TF Serving, and ask the exported files for one image.

python examples/export.py --model runs/first --output models/cells
python examples/export.py --model runs/first/detector-pretrained --output models/trees --data photos
python examples/export.py --model runs/finetune-1 --output models/cells --image photo.jpg
KERAS_BACKEND=torch python examples/export.py --model runs/first --output models/cells --data photos

Leaves models/cells/<version>/ with warm-up requests from held-out images and a model card.
"""

import argparse
import importlib.util
import io
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from finetune import pretrained
from PIL import Image
from serve_client import shown
from train import datasets, first_images

import keras_simmim as ks

KEPT = ("mean_iou", "accuracy", "balanced_accuracy", "knn_before", "knn_after", "loss_last")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a run, a .keras file, or a preset")
    parser.add_argument("--output", required=True, type=Path, help="models/NAME")
    parser.add_argument("--version", type=int, help="default: the next one")
    parser.add_argument("--data", default="elpv", help="elpv, a folder, or tfds:NAME")
    parser.add_argument("--samples", type=int, default=8, help="images for warm-up requests")
    parser.add_argument("--image", type=Path, help="JPEG or PNG to ask for; default: a sample")
    parser.add_argument("--onnx", type=Path, help="also write this .onnx file")
    options = parser.parse_args()
    if options.samples < 1:
        parser.error("--samples must be at least 1")
    if options.image and not options.image.is_file():
        parser.error(f"--image {options.image}: there is no such file")
    return options


def trained(name: str) -> keras.Model:
    """Load the model of a run of these examples, a file or a preset."""
    classifier = Path(name) / "classifier.keras"
    return keras.saving.load_model(classifier) if classifier.exists() else pretrained(name)


def samples(options: argparse.Namespace, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Return images that the model did not learn from, uint8."""
    wanted = {"image_size": image_shape[:2], "batch_size": options.samples, "seed": 0}
    try:
        held_out = datasets(argparse.Namespace(data=options.data, limit=None, **wanted), epoch=0)[2]
        images = first_images(held_out).astype("uint8")
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"--data {options.data}: {str(error).strip().splitlines()[0]}")
    if images.shape[1:] != image_shape:
        sys.exit(
            f"--data {options.data}: images are {images.shape[1:]}, the model's {image_shape}."
        )
    return images


def card(name: str) -> dict:
    """Read what the run's summary says of the model."""
    file = Path(name) / "summary.json"
    if not file.exists():
        return {"model": name}
    summary = json.loads(file.read_text())
    kept = {key: value for key, value in summary.items() if key in KEPT or key.startswith("mAP")}
    metrics = {key: value for key, value in kept.items() if value is not None}
    return {"model": name, "data": summary["dataset"], "seed": summary["seed"], "metrics": metrics}


def answered(path: str, file: Path, contents: bytes, output: Path) -> str:
    """Ask exported files for one image, and say what they answer."""
    answer = {
        name: value[0] for name, value in ks.export.ServedModel(path).predict([contents]).items()
    }
    for name in {"classes", "names"} & set(answer):
        answer[name] = [text.decode() for text in answer[name]]
    return shown(file, answer, output)


def main() -> None:
    options = arguments()
    model = trained(options.model)
    images = samples(options, model.backbone.image_shape)
    warmup = images if importlib.util.find_spec("tensorflow_serving") else None
    if warmup is None:
        print("No warm-up requests: pip install 'keras-simmim[serving]'.")
    try:
        path = ks.export.export_saved_model(
            model,
            options.output,
            options.version,
            warmup_images=warmup,
            card=card(options.model),
        )
        print(f"Exported from {keras.backend.backend()} to {path}.")
        if options.onnx:
            print(f"ONNX: {ks.export.export_onnx(model, options.onnx)}.")
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"--output {options.output}: {error}")

    if options.image:
        contents = options.image.read_bytes()
    else:
        buffer = io.BytesIO()
        Image.fromarray(images[0].squeeze()).save(buffer, "PNG")
        contents = buffer.getvalue()
    file = options.image or Path("held-out.png")
    print(f"One request to it, {options.image or 'a held-out image'}, is answered with:")
    print(answered(path, file, contents, options.output.parent))


if __name__ == "__main__":
    main()

"""What each modality hides, at several rounds, on a photograph, as one picture.

python examples/masks.py                              # a photograph of scikit-image
python examples/masks.py --image photo.jpg --output masks.jpg
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import ops
from PIL import Image, UnidentifiedImageError

from keras_simmim import masking
from keras_simmim.evaluation.lay_out import lay_out

SIDE, BLOCK = 144, 16  # pixels
ROUNDS, RATIO = 3, (0.25, 0.75)
COLUMNS = {
    "space": [masking.SpatialMasking()],
    "color: chroma": [masking.ColorMasking("chroma")],
    "color: luma": [masking.ColorMasking("luma")],
    "texture: low band": [masking.TextureMasking("low")],
    "texture: high band": [masking.TextureMasking("high")],
    "all three": [
        masking.SpatialMasking(),
        masking.ColorMasking("chroma"),
        masking.TextureMasking("low"),
    ],
}


def photograph(path: Path | None) -> np.ndarray:
    """Cut out the largest central square of a photograph, (1, SIDE, SIDE, 3), 0–255."""
    if path is None:
        try:
            from skimage import data
        except ImportError:
            sys.exit("The default image comes with a package: pip install 'keras-simmim[examples]'")
        image = Image.fromarray(data.coffee())
    else:
        try:
            image = Image.open(path).convert("RGB")
        except (OSError, UnidentifiedImageError) as error:
            sys.exit(f"--image {path}: {error}")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
    return np.asarray(square, "float32")[None]


def rounds(image: np.ndarray, maskings: list) -> np.ndarray:
    """Mask an image in every round, uint8 (ROUNDS, SIDE, SIDE, 3)."""
    mean, std = image.mean((0, 1, 2)), image.std((0, 1, 2))
    generator = masking.IterativeMasking(
        maskings, iterations=ROUNDS, ratio=RATIO, block_size=BLOCK, seed=1
    )
    views, _ = generator(ops.convert_to_tensor((image - mean) / std))
    pictures = ops.convert_to_numpy(views)[0] * std + mean
    return np.clip(pictures, 0, 255).astype("uint8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=Path, help="default: a cup of coffee")
    parser.add_argument("--output", type=Path, default=Path("masks.jpg"))
    options = parser.parse_args()
    image = photograph(options.image)
    columns = [rounds(image, maskings) for maskings in COLUMNS.values()]
    original = np.repeat(image, ROUNDS, axis=0).astype("uint8")
    names = [f"{ratio:.0%} hidden" for ratio in np.linspace(*RATIO, ROUNDS)]
    rows = zip(original, *columns, strict=True)
    sheet = lay_out(rows, names=names, titles=["original", *COLUMNS])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(options.output, quality=88)
    print(
        f"{options.output}: {', '.join(COLUMNS)}, in {ROUNDS} rounds ({keras.backend.backend()})."
    )


if __name__ == "__main__":
    main()

r"""A small folder of color images to try things on: pieces of five free photographs.

python examples/photographs.py
python examples/train.py --data photographs --output runs/photographs --reconstruct --epochs 24

The photographs come with scikit-image and are in the public domain or CC0: a cup of coffee, a cat,
a rocket, the Hubble deep field and a retina. Each has a sub-folder, so that it is the label. That
is an easy label: the colors alone tell most of it. `report.jpg` is a picture of the report of
the second command, taken by

chromium --headless --hide-scrollbars --window-size=1160,1600 --screenshot=report.png \
    runs/photographs/report.html  # then made smaller, as JPEG
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("coffee", "chelsea", "rocket", "hubble_deep_field", "retina")
SIDE, EACH = 96, 80  # pixels; pieces of a photograph


def pieces(photograph: np.ndarray) -> list[np.ndarray]:
    """Cut out about `EACH` squares, evenly over the photograph, which may overlap."""
    height, width = photograph.shape[0] - SIDE, photograph.shape[1] - SIDE
    rows = round((EACH * photograph.shape[0] / photograph.shape[1]) ** 0.5)
    columns = round(EACH / rows)
    return [
        photograph[top : top + SIDE, left : left + SIDE]
        for top in np.linspace(0, height, rows).astype(int)
        for left in np.linspace(0, width, columns).astype(int)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("photographs"))
    options = parser.parse_args()
    try:
        from skimage import data
    except ImportError:
        sys.exit("The photographs come with a package: pip install 'keras-simmim[examples]'")
    for name in NAMES:
        folder = options.output / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            sys.exit(f"--output {options.output}: {error}")
        for index, piece in enumerate(pieces(getattr(data, name)())):
            Image.fromarray(piece).save(folder / f"{index:02}.png")
    print(f"{options.output}: pieces of {len(NAMES)} photographs, {SIDE}×{SIDE} pixels.")


if __name__ == "__main__":
    main()

"""Train a ViT whose weights are cut over all devices, by the layout map of docs/scaling.md.

python tests/support/model_parallel.py FILE.npz
"""

import re
import sys
from pathlib import Path

import keras
import numpy as np

import keras_simmim as ks

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


def main(path):
    if len(keras.distribution.list_devices()) > 1:
        [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        found = {}
        exec(code, found)
        keras.distribution.set_distribution(found["parallel"])
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.ViT((8, 8, 3), 2, 2, 2, 8, drop_path_rate=0.5)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 1))
    model.compile(keras.optimizers.AdamW(1e-3))
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype="uint8")
    history = model.fit(images, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    cut = sum(not weight.value.is_fully_replicated for weight in model.weights)
    weights = {str(index): weight for index, weight in enumerate(model.get_weights())}
    np.savez(path, cut=cut, loss=history["loss"], embedded=model.embed(images[:3]), **weights)


if __name__ == "__main__":
    main(sys.argv[1])

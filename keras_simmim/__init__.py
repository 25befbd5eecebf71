"""Pretrain image networks without labels, and use what they learned.

An image passes these stages, each of which is a folder:

    data → backbones (stem) → masking → backbones (encoder) → aggregation → heads → objectives

`SimMIM`, in `models`, is the whole path as a `keras.Model` that pretrains; `ImageClassifier`,
`ImageSegmenter` and the detectors fine-tune what it learned, the latter through `necks` and
`boxes`. `pretrain` chooses all of it in one call, `presets` names whole models, `pretrained` reads
weights from elsewhere, `training` and `evaluation` stand around `fit`, and `export` writes a model
for a server.

Example:
```python
import numpy as np

import keras_simmim as ks

images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype="uint8")
backbone = ks.backbones.ViT((32, 32, 3), patch_size=8, num_layers=1, num_heads=2, hidden_dim=32)
model = ks.SimMIM(backbone, ks.masking.SpatialMasking(ratio=0.6, block_size=1))
model.compile("adam")
model.fit(images, batch_size=16)
model.embed(images).shape  # (64, 32)
```
"""

from keras_simmim.command.start import is_starting

# The command answers --help at once and chooses its backend; then it reads this file again.
if not is_starting():
    from keras_simmim import (
        aggregation,
        backbones,
        data,
        evaluation,
        export,
        heads,
        masking,
        models,
        necks,
        objectives,
        pretraining,
        training,
    )
    from keras_simmim.models import (
        SSD,
        YOLO,
        FasterRCNN,
        ImageClassifier,
        ImageSegmenter,
        ObjectDetector,
        SequenceRecommender,
        SimMIM,
        TextClassifier,
    )
    from keras_simmim.pretrained import presets
    from keras_simmim.pretraining import pretrain

__all__ = [
    "SSD",
    "YOLO",
    "FasterRCNN",
    "ImageClassifier",
    "ImageSegmenter",
    "ObjectDetector",
    "SequenceRecommender",
    "SimMIM",
    "TextClassifier",
    "aggregation",
    "backbones",
    "data",
    "evaluation",
    "export",
    "heads",
    "masking",
    "models",
    "necks",
    "objectives",
    "presets",
    "pretrain",
    "pretraining",
    "training",
]
__version__ = "0.1.0"

"""Self-supervised image pretraining for Keras 3, on TensorFlow, JAX and torch.

The folders are the stages, in the order in which data passes:

    data ─ backbone.stem ─ masking ─ backbone.encoder ─┬─ heads.ReconstructionHead
                                                       └─ aggregation ─ heads.ClassificationHead

`SimMIM` is the whole path as a `keras.Model`; `training` and `evaluation` stand around it, and
`ImageClassifier`, in `transfer`, fine-tunes what it learned, and `export` takes it to a server.

Example:
```python
import keras
import keras_simmim as ks

backbone = ks.backbones.ViT((96, 96, 3), patch_size=8, num_layers=4, num_heads=4, hidden_dim=128)
model = ks.SimMIM(backbone, ks.masking.SpatialMasking(ratio=0.6, block_size=4))
model.compile(optimizer=keras.optimizers.AdamW(1e-3, weight_decay=0.05))
model.fit(ks.data.image_folder("photos", image_size=96))
```
"""

from keras_simmim import (
    aggregation,
    backbones,
    data,
    evaluation,
    export,
    heads,
    masking,
    models,
    objectives,
    training,
)
from keras_simmim.models import ImageClassifier, SimMIM
from keras_simmim.pretrained import presets

__all__ = [
    "ImageClassifier",
    "SimMIM",
    "aggregation",
    "backbones",
    "data",
    "evaluation",
    "export",
    "heads",
    "masking",
    "models",
    "objectives",
    "presets",
    "training",
]
__version__ = "0.1.0"

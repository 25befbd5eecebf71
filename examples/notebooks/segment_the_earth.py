"""
Title: Segment the Earth on pretrained features
Author: keras_simmim contributors
Date created: 2026/11/28
Last modified: 2026/11/28
Description: Pretrain on satellite tiles without labels, then give every pixel a climate.
Accelerator: None
"""

"""
## Introduction

A network that was pretrained on images without labels can be put under a decoder that gives every
pixel a class. Here the images are tiles of NASA's Blue Marble, and the classes are the five groups
of Köppen's climates, and the ocean. Whether pretraining pays is measured and not assumed: with so
few tiles, it may not.

This example needs `pip install -e ".[examples]"` in a copy of the repository of keras_simmim.
"""

"""
## Setup
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_simmim as ks

sys.path.append("..")
from segment import CLIMATES, climate_tiles

SMALL = "KERAS_SIMMIM_SMALL" in os.environ  # for tests: a run of seconds that learns nothing
EVERY, PRETRAIN_EPOCHS, EPOCHS = (60, 1, 1) if SMALL else (3, 6, 4)

"""
## Tiles and masks

Tiles of 80×80 pixels, 5.3° on a side. Whole blocks of the map are held out, so that no test tile
lies between training tiles.
"""

images, masks, _, test_images, test_masks = (part[::EVERY] for part in climate_tiles())
print(images.shape, masks.shape, test_images.shape)

"""
## Pretrain, without the masks

`ks.pretrain` makes a small vision transformer and lets two crops of a tile find each other.
"""

model = ks.pretrain(images, epochs=PRETRAIN_EPOCHS, patch_size=8, output="runs/earth")

"""
## Fine-tune a U-Net on it

A vision transformer has one map; the segmenter makes a pyramid of it, and a decoder goes up to the
pixels. The loss is cross-entropy and Dice. Crops are drawn alike for a tile and its mask.
"""


def segmenter_of(network):
    keras.utils.set_random_seed(0)
    segmenter = ks.ImageSegmenter.from_pretrained(
        network, num_classes=len(CLIMATES), class_names=CLIMATES, neck_width=32
    )
    segmenter.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.05, global_clipnorm=5.0))
    data = ks.data.from_arrays(images, masks=masks, batch_size=16, crop_scale=(0.3, 1.0))
    segmenter.fit(data, epochs=EPOCHS, verbose=2)
    return segmenter


def mean_iou(segmenter):
    classes = segmenter.segment(test_images)
    return ks.evaluation.mean_iou(classes, test_masks, num_classes=len(CLIMATES))["mean_iou"]


pretrained = segmenter_of(model)

"""
## The same from scratch

The same network with new weights.
"""

fresh = type(model.backbone).from_config(model.backbone.get_config())
scratch = segmenter_of(ks.models.ImageModel(fresh, mean=model.mean, std=model.std))
print(f"mean IoU: pretrained {mean_iou(pretrained):.3f}, from scratch {mean_iou(scratch):.3f}")

"""
## Look at it

The tiles with the most climates: the image, the truth, and what the segmenter says.
"""

chosen = np.argsort([-len(np.unique(mask)) for mask in test_masks])[:6]
sheet = ks.evaluation.segmentation_sheet(pretrained, test_images[chosen], test_masks[chosen])
plt.figure(figsize=(12, 6))
plt.imshow(sheet)
plt.axis("off")

"""
## Conclusion

The segmenter is a Keras model: `save` it, or export it by `ks.export.export_saved_model` for a
server that takes JPEG files and answers with class maps. On these tiles, pretraining for a few
minutes did not beat a network from scratch in the measurements of `benchmarks/README.md`: compare
on yours, as this example does.
"""

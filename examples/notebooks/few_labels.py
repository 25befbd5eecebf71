# %% [markdown]
# # Few labels: climates from space
#
# Thousands of satellite tiles without labels, ten labels of each of five climates. What do the
# unlabeled ones bring?
#
# The tiles are cut from NASA's Blue Marble and labeled by the Köppen map, in
# `benchmarks/climate.py`; whole blocks of the map are held out. `pip install -e ".[examples]"`
# brings both.

# %%
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_simmim as ks

sys.path.append("../../benchmarks")
from climate import climate_tiles

SMALL = "KERAS_SIMMIM_SMALL" in os.environ  # for tests: a run of seconds that learns nothing
EPOCHS, STEPS, EVERY = (1, 2, 40) if SMALL else (6, 100, 2)
GROUPS = ["tropical", "dry", "temperate", "continental", "polar"]

# %%
images, labels, *others = climate_tiles(classes=5)
test_images, test_labels, unlabeled = (part[::EVERY] for part in others)
generator = np.random.default_rng(0)
few = np.concatenate(
    [generator.permutation(np.flatnonzero(labels == group))[:10] for group in range(5)]
)
len(unlabeled), len(few), len(test_images)

# %%
figure, axes = plt.subplots(1, 5, figsize=(12, 3))
for group, axis in enumerate(axes):
    axis.imshow(images[labels == group][0])
    axis.set_title(GROUPS[group])
    axis.axis("off")

# %% [markdown]
# ## Pretrain on all that has no label

# %%
model = ks.pretrain(unlabeled, epochs=EPOCHS, patch_size=8, output="runs/climate")
choice = ks.pretraining.choose(len(unlabeled))
untrained = ks.pretraining.new_model(unlabeled[:512], choice, steps=1, patch_size=8)

# %% [markdown]
# ## Ten labels a class
#
# First a linear classifier on embeddings that stay as they are, then the whole network fine-tuned.
# Balanced accuracy is the mean over the classes: guessing gives 0.2. The colors alone, mean and
# deviation of each channel, are a baseline that a network has to beat.


# %%
def probe(embeddings, test_embeddings):
    found = ks.evaluation.linear_probe(
        embeddings, labels[few], test_embeddings, test_labels, seed=0
    )
    return found["balanced_accuracy"]


def colors(pictures):
    return np.concatenate([pictures.mean((1, 2)), pictures.std((1, 2))], axis=-1)


print(f"colors alone     {probe(colors(images[few]), colors(test_images)):.3f}")
for name, network in (("untrained", untrained), ("pretrained", model)):
    print(f"{name:16} {probe(network.embed(images[few]), network.embed(test_images)):.3f}")


# %%
def fine_tuned(network):
    keras.utils.set_random_seed(0)
    classifier = ks.ImageClassifier.from_pretrained(network, num_classes=5, class_names=GROUPS)
    classifier.compile(keras.optimizers.AdamW(5e-4, weight_decay=0.05))
    classifier.fit(images[few], labels[few], batch_size=25, epochs=STEPS // 2, verbose=0)
    return classifier


for name, network in (("from scratch", untrained), ("pretrained", model)):
    predicted = fine_tuned(network).predict(test_images, verbose=0).argmax(-1)
    recalls = [
        (predicted == test_labels)[test_labels == group].mean() for group in np.unique(test_labels)
    ]
    print(f"{name:16} {np.mean(recalls):.3f}")

# %% [markdown]
# One draw of fifty labels says little by itself: repeat it with other seeds before you decide. What
# pretraining brought at other numbers of images and labels is in `docs/which-recipe.md`.

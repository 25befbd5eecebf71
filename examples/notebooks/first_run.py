# %% [markdown]
# # A first run: photographs of solar cells
#
# A network learns from 2,104 photographs without their labels. Then we ask whether it finds cells
# of the same type similar.
#
# `pip install -e ".[examples]"` brings the photographs (`elpv-dataset`, CC BY-NC-SA 4.0). Of your
# own images, give `ks.pretrain` the folder.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import matplotlib.pyplot as plt
import numpy as np
from elpv_dataset.utils import load_dataset

import keras_simmim as ks

SMALL = "KERAS_SIMMIM_SMALL" in os.environ  # for tests: a run of seconds that learns nothing
EPOCHS, EVERY = (1, 20) if SMALL else (8, 1)

# %% [markdown]
# ## Images
#
# Of 300×300 pixels we keep the middle, in steps of 4: 64×64. Neighboring files show cells of one
# module, so whole stretches of files are held out, and not single cells.

# %%
photographs, _, types = load_dataset()
middle = photographs[::EVERY, 22:278, 22:278]
images = middle.reshape(-1, 64, 4, 64, 4).mean((2, 4))[..., None]
labels = np.unique(types, return_inverse=True)[1][::EVERY]
held_out = np.arange(len(images)) * 40 // len(images) % 5 == 4
images.shape, images[~held_out].shape

# %%
figure, axes = plt.subplots(1, 8, figsize=(12, 2))
for axis, image in zip(axes, images[:: len(images) // 8], strict=False):
    axis.imshow(image[..., 0], cmap="gray")
    axis.axis("off")

# %% [markdown]
# ## Pretrain
#
# One call. It makes a small vision transformer, hides three quarters of the patches of two crops of
# each photograph, and lets the one crop find the other. What it writes to `runs/cells` is gone on
# with if the call is repeated.

# %%
model = ks.pretrain(images[~held_out], epochs=EPOCHS, output="runs/cells")

# %% [markdown]
# ## What has it learned?
#
# Does a held-out cell have the type, mono- or polycrystalline, of the 20 training cells whose
# embeddings are nearest? An untrained network of the same kind is the baseline.


# %%
def knn(network):
    known, asked = network.embed(images[~held_out]), network.embed(images[held_out])
    truth = labels[~held_out], labels[held_out]
    return ks.evaluation.knn_accuracy(known, truth[0], asked, truth[1], k=20)


choice = ks.pretraining.choose(len(images))
untrained = ks.pretraining.new_model(images[:64], choice, steps=1)
print(f"kNN accuracy: untrained {knn(untrained):.3f}, pretrained {knn(model):.3f}")

# %% [markdown]
# The neighbors themselves tell more than a number:

# %%
queries = images[held_out][:: max(held_out.sum() // 5, 1)][:5]
sheet = ks.evaluation.neighbor_sheet(
    queries, model.embed(queries), images[~held_out], model.embed(images[~held_out]), scale=2
)
plt.figure(figsize=(9, 6))
plt.imshow(sheet[..., 0], cmap="gray", vmin=0, vmax=255)
plt.axis("off")

# %% [markdown]
# `runs/cells/report.html` has the curves. Next: few labels, in `few_labels.py`.

# %% [markdown]
# # Serve a classifier, and ask it
#
# A classifier becomes a folder that TensorFlow Serving loads: JPEG or PNG files in, class names and
# probabilities out. We ask the exported files themselves, without a server, and write the request
# that a server would get.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import base64
import io
import json
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import keras_simmim as ks

SMALL = "KERAS_SIMMIM_SMALL" in os.environ  # for tests: a run of seconds that learns nothing
EPOCHS, PIECES = (1, 8) if SMALL else (6, 150)

# %% [markdown]
# ## A classifier
#
# Pieces of two photographs that come with scikit-learn, a temple in China and a flower.

# %%
NAMES = ["china", "flower"]
generator = np.random.default_rng(0)
photographs = load_sample_images().images
pieces, labels = [], []
for label, photograph in enumerate(photographs):
    for _ in range(PIECES):
        top, left = (generator.integers(0, size - 128) for size in photograph.shape[:2])
        piece = Image.fromarray(photograph[top : top + 128, left : left + 128]).resize((64, 64))
        pieces.append(np.asarray(piece))
        labels.append(label)
pieces, labels = np.array(pieces), np.array(labels)

# %%
keras.utils.set_random_seed(0)
backbone = ks.backbones.ViT((64, 64, 3), patch_size=8, num_layers=2, num_heads=4, hidden_dim=64)
classifier = ks.ImageClassifier(backbone, num_classes=2, class_names=NAMES)
classifier.compile(keras.optimizers.AdamW(1e-3))
history = classifier.fit(pieces, labels, epochs=EPOCHS, verbose=0).history
print(f"accuracy on what it learned from: {history['accuracy'][-1]:.2f}")

# %% [markdown]
# ## Export
#
# A version appears complete or not at all, and is never overwritten: a second export is version 2.

# %%
said = {"data": "pieces of two photographs of scikit-learn", "seed": 0, "metrics": "not held out"}
folder = ks.export.export_saved_model(classifier, "models/pieces", card=said)
print(folder)
print(Path(folder, "README.md").read_text())

# %% [markdown]
# ## Ask the exported files


# %%
def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


files = [encoded(photograph[100:300, 100:350]) for photograph in photographs]
answer = ks.export.ServedModel(folder).predict(files)
for names, probabilities in zip(answer["classes"], answer["probabilities"], strict=True):
    print({name.decode(): round(float(p), 3) for name, p in zip(names, probabilities, strict=True)})

# %% [markdown]
# ## Ask a server
#
# ```sh
# docker run --rm -p 8501:8501 -v "$PWD/models/pieces:/models/pieces" \
#     -e MODEL_NAME=pieces tensorflow/serving
# python ../serve_client.py photo.jpg --model pieces
# ```
#
# The client posts this to `http://localhost:8501/v1/models/pieces:predict`:

# %%
request = {"instances": [{"image_bytes": {"b64": base64.b64encode(files[0]).decode()}}]}
print(json.dumps(request)[:120], "…")

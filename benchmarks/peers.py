"""How fast is a training step beside Hugging Face's, on the same machine in the same run?

KERAS_BACKEND=torch python benchmarks/peers.py        # jax and tensorflow likewise

ViT-Tiny/16 at 224², batch 16, and Swin-T/4 at 192², window 6, batch 8; blocks of 32 pixels at a
ratio of 0.6; AdamW, float32. The two take turns; medians, and their ratio. Hugging Face's masks are
drawn before the clock starts, ours within the step.
"""

import argparse
import json
import os
import statistics
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import torch
import transformers

import keras_simmim as ks

CASES = {
    "vit_tiny": (
        lambda: ks.presets.paper_simmim(
            ks.backbones.ViT((224, 224, 3), 16, 12, 3, 192, class_token=True)
        ),
        lambda: transformers.ViTForMaskedImageModeling(
            transformers.ViTConfig(
                hidden_size=192,
                num_hidden_layers=12,
                num_attention_heads=3,
                intermediate_size=768,
                encoder_stride=16,
            )
        ),
        (16, 224, 16),
    ),
    "swin_tiny": (
        lambda: ks.SimMIM.from_preset("simmim_swin_tiny"),
        lambda: transformers.SwinForMaskedImageModeling(
            transformers.SwinConfig(
                image_size=192, window_size=6, encoder_stride=32, drop_path_rate=0.0
            )
        ),
        (8, 192, 4),
    ),
}


def their_step(model, pixels, patch):
    """A function that takes one step of Hugging Face's model."""
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.05)
    grid = pixels.shape[-1] // patch
    block = 32 // patch
    blocks = torch.rand(len(pixels), grid // block, grid // block) < 0.6
    mask = blocks.repeat_interleave(block, 1).repeat_interleave(block, 2).flatten(1)
    model.train()

    def step():
        optimizer.zero_grad()
        model(pixels, bool_masked_pos=mask).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step


def seconds(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="timed steps of each")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    arguments = parser.parse_args()
    backend = keras.backend.backend()
    rows = []
    for name in arguments.cases:
        make_ours, make_theirs, (batch, side, patch) = CASES[name]
        images = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype="uint8")
        ours, theirs = make_ours(), make_theirs()
        jit_compile = backend != "torch"
        ours.compile(
            keras.optimizers.AdamW(1e-4, weight_decay=0.05, global_clipnorm=5.0),
            jit_compile=jit_compile,
        )
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 128 - 1
        steps = (partial(ours.train_on_batch, images), their_step(theirs, pixels, patch))
        times = []
        for step in (*steps, *steps):
            step()
        for _ in range(arguments.rounds):
            times.append([seconds(step) for step in steps])
        medians = [statistics.median(column) for column in zip(*times, strict=True)]
        rows.append(
            {
                "case": name,
                "backend": backend,
                "images_per_second": batch / medians[0],
                "hugging_face_images_per_second": batch / medians[1],
                "ratio": medians[1] / medians[0],
            }
        )
        print(
            "| {case} | {backend} | {images_per_second:.1f} | "
            "{hugging_face_images_per_second:.1f} | {ratio:.2f} |".format(**rows[-1]),
            flush=True,
        )
    file = Path(__file__).parent / "results" / f"peers_{backend}.json"
    file.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()

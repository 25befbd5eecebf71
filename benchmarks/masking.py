"""What share of a training step does masking take?

python benchmarks/masking.py            # TensorFlow; KERAS_BACKEND=jax or torch for the others

ViT-Tiny/16 at 224², batch 16. For each mask generator the compiled layer is timed on what it masks
(features for the paper's spatial masking, pixels for the others), in turns with the model's whole
training step; medians, and their ratio. Goal: below 2%.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import ops

import keras_simmim as ks
from keras_simmim import masking as m

BATCH, SIDE, PATCH, BLOCK = 16, 224, 16, 32
PARTS = (m.SpatialMasking, m.ColorMasking, m.TextureMasking)
GENERATORS: dict[str, tuple[str, Callable[[int], m.MaskGenerator]]] = {
    "spatial": ("features", lambda block: m.SpatialMasking(0.6, block)),
    "spatial, on pixels": ("pixels", lambda block: m.SpatialMasking(0.6, block)),
    "color, on pixels": ("pixels", lambda block: m.ColorMasking("chroma", 0.6, block)),
    "texture, on pixels": ("pixels", lambda block: m.TextureMasking("low", 0.25, 0.6, block)),
    "color, on features": ("features", lambda block: m.ColorMasking("chroma", 0.6, block)),
    "texture, on features": ("features", lambda block: m.TextureMasking("low", 0.25, 0.6, block)),
    "learned": ("features", lambda block: m.LearnedMasking(0.6, block)),
    "three modalities, 1 round": (
        "pixels",
        lambda block: m.IterativeMasking([part() for part in PARTS], 1, block_size=block),
    ),
    "three modalities, 3 rounds": (
        "pixels",
        lambda block: m.IterativeMasking([part() for part in PARTS], 3, block_size=block),
    ),
}


def compiled(function: Callable) -> Callable:
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            return tf.function(function, jit_compile=True)
        case "jax":
            import jax

            return jax.jit(function)
    return function


def seconds(function: Callable) -> float:
    started = time.perf_counter()
    result = function()
    for tensor in result if isinstance(result, tuple) else ():
        ops.convert_to_numpy(ops.stop_gradient(tensor[:1]))
    return time.perf_counter() - started


def measured(name: str, repeats: int) -> dict[str, float]:
    mask_on, make = GENERATORS[name]
    block = BLOCK if mask_on == "pixels" else BLOCK // PATCH
    backbone = ks.backbones.ViT((SIDE, SIDE, 3), PATCH, 12, 3, 192)
    model = ks.SimMIM(backbone, make(block), mask_on=mask_on)
    jit_compile = keras.backend.backend() == "tensorflow" or "auto"
    model.compile(keras.optimizers.AdamW(1e-3), jit_compile=jit_compile)
    images = np.random.default_rng(0).integers(0, 256, (BATCH, SIDE, SIDE, 3), dtype="uint8")
    pixels = model.normalize(images)
    masked = ops.stop_gradient(pixels if mask_on == "pixels" else backbone.stem(pixels))
    token = None if model.mask_token is None else ops.convert_to_tensor(model.mask_token)
    mask = compiled(lambda tensor, step: model.mask_generator(tensor, step=step, token=token))
    steps = iter(range(1_000_000))

    def mask_once() -> tuple:
        return mask(masked, ops.convert_to_tensor(next(steps), dtype="int32"))

    def train_once() -> None:
        model.train_on_batch(images)

    for function in (mask_once, train_once) * 2:
        seconds(function)
    times = np.array([(seconds(mask_once), seconds(train_once)) for _ in range(repeats)])
    mask_time, step_time = np.median(times, axis=0)
    return {
        "mask_ms": round(1000 * mask_time, 2),
        "step_ms": round(1000 * step_time, 1),
        "share": round(mask_time / step_time, 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    backend = keras.backend.backend()
    results = {}
    print(f"{'mask generator':28} {'mask ms':>8} {'step ms':>8} {'share':>7}   ({backend})")
    for name in GENERATORS:
        row = results[name] = measured(name, options.repeats)
        print(
            f"{name:28} {row['mask_ms']:8.2f} {row['step_ms']:8.1f} {row['share']:7.2%}", flush=True
        )
        keras.backend.clear_session()
    path = Path(__file__).parent / "results" / f"masking-{backend}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"batch": BATCH, "image_side": SIDE, **results}, indent=2) + "\n")


if __name__ == "__main__":
    main()

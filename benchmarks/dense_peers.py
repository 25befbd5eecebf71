"""How fast is a training step of a segmenter or a detector beside its peers', in turns?

python benchmarks/dense_peers.py                      # three backends, each in its own process
python benchmarks/dense_peers.py --backends jax --cases segment --rounds 20

segment: ImageSegmenter with a U-Net on Swin-T/4 at 192², batch 4, beside Hugging Face's UperNet on
its Swin-T, on torch, whose decoder is as wide as makes its operations come nearest to ours.
detect: FasterRCNN with a feature pyramid on a ResNet-50 at 256², batch 2, beside KerasHub's
RetinaNet on its ResNet-50, on the same backend. Both have 8 boxes an image. AdamW, float32;
medians, and the ratio to the peer's step. The operations of both segmenters, forward and
backward, are counted by torch.
"""

import argparse
import json
import statistics
import warnings
from functools import partial

from peers import BACKENDS, RESULTS, compiled, in_own_processes, seconds

# Batch, side of the images and classes.
CASES = {"segment": (4, 192, 6), "detect": (2, 256, 3)}
UPERNET_WIDTH = 96


def segmenters(images, generator):
    import torch
    import transformers

    import keras_simmim as ks

    batch, side, classes = CASES["segment"]
    masks = generator.integers(0, classes, (batch, side, side), dtype="uint8")
    ours = ks.ImageSegmenter.from_pretrained(ks.SimMIM.from_preset("simmim_swin_tiny"), classes)
    swin = transformers.SwinConfig(
        image_size=side,
        window_size=6,
        drop_path_rate=0.0,
        out_features=[f"stage{n}" for n in "1234"],
    )
    theirs = transformers.UperNetForSemanticSegmentation(
        transformers.UperNetConfig(
            backbone_config=swin,
            hidden_size=UPERNET_WIDTH,
            use_auxiliary_head=False,
            num_labels=classes,
        )
    )
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 128 - 1
    truth = torch.from_numpy(masks).long()
    optimizer = torch.optim.AdamW(theirs.parameters(), 1e-4, weight_decay=0.05)
    theirs.train()

    def step():
        optimizer.zero_grad()
        theirs(pixels, labels=truth).loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 5.0)
        optimizer.step()

    return compiled(ours, images, masks), step


def detectors(images, generator):
    import keras
    import keras_hub
    import numpy as np

    import keras_simmim as ks

    batch, side, classes = CASES["detect"]
    corners = generator.uniform(0, side / 2, (batch, 8, 2))
    boxes = np.concatenate([corners, corners + side / 4], -1).astype("float32")
    labels = generator.integers(0, classes, (batch, 8), dtype="int32")
    network = keras.applications.ResNet50(
        weights=None, include_top=False, input_shape=(side, side, 3)
    )
    ours = ks.FasterRCNN(ks.backbones.from_keras(network), classes)
    residual = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(side, side, 3),
    )
    pyramid = keras_hub.models.RetinaNetBackbone(
        image_encoder=residual, min_level=3, max_level=7, use_p5=False
    )
    theirs = keras_hub.models.RetinaNetObjectDetector(pyramid, classes, bounding_box_format="xyxy")
    targets = {"boxes": boxes, "labels": labels}
    pixels = images.astype("float32") / 128 - 1
    compiled(theirs)
    # KerasHub's own takes no dictionaries.
    step = partial(keras.Model.train_on_batch, theirs, pixels, targets)
    return compiled(ours, images, targets), step


def operations(step):
    """The operations of a step on torch, in billions."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return round(counter.get_total_flops() / 1e9, 1)


def run(case, rounds):
    """Time one case on this process's backend; give a row."""
    import keras
    import numpy as np

    batch, side, _ = CASES[case]
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (batch, side, side, 3), dtype="uint8")
    with warnings.catch_warnings():
        # Their dependencies' own deprecations.
        warnings.simplefilter("ignore")
        steps = {"segment": segmenters, "detect": detectors}[case](images, generator)
    for step in (*steps, *steps):
        step()
    times = [[seconds(step) for step in steps] for _ in range(rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    row = {"case": case, "backend": keras.backend.backend(), "rounds": rounds}
    row |= {"ours_ms": round(1e3 * ours), "theirs_ms": round(1e3 * theirs)}
    row["ratio"] = round(theirs / ours, 2)
    if keras.backend.backend() == "torch":
        row |= dict(zip(("ours_gflop", "theirs_gflop"), map(operations, steps), strict=True))
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="timed steps of each")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(run(options.cases[0], options.rounds)))
        return
    passed = ["--rounds", str(options.rounds)]
    rows = in_own_processes(__file__, options.cases, options.backends, passed)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "dense_peers.json").write_text(json.dumps(rows, indent=2) + "\n")
    print("| case | backend | ours, ms | peer, ms | ratio |\n|---|---|---|---|---|")
    for row in rows:
        names = ("case", "backend", "ours_ms", "theirs_ms", "ratio")
        print("| " + " | ".join(str(row[name]) for name in names) + " |")


if __name__ == "__main__":
    main()

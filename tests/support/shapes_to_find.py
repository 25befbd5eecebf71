"""Images of bright rectangles and ellipses on noise, which detectors are to learn by heart."""

import numpy as np


def shapes_to_find(count=8, side=64, seed=0):
    """Images (N, side, side, 3) with one to three objects, and {"boxes", "labels"}.

    Class 0 are rectangles, class 1 ellipses; they do not overlap.
    """
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 90, (count, side, side, 3)).astype("uint8")
    boxes = np.zeros((count, 3, 4), "float32")
    labels = np.full((count, 3), -1, "int32")
    rows, columns = np.mgrid[:side, :side] + 0.5
    for number in range(count):
        taken = np.zeros((side, side), bool)
        for place in range(1 + number % 3):
            while True:
                width, height = generator.integers(10, 28, 2)
                left = generator.integers(0, side - width)
                top = generator.integers(0, side - height)
                inside = np.zeros_like(taken)
                inside[top : top + height, left : left + width] = True
                if not (inside & taken).any():
                    break
            taken |= inside
            label = generator.integers(2)
            if label:
                x, y = (columns - left) / width * 2 - 1, (rows - top) / height * 2 - 1
                inside = x**2 + y**2 <= 1
            images[number][inside] = generator.integers(160, 256, 3)
            boxes[number, place] = left, top, left + width, top + height
            labels[number, place] = label
    return images, {"boxes": boxes, "labels": labels}


def overfitted(detector, steps=300):
    """Train a detector on 8 such images for some steps of AdamW(1e-3) and return its mAP50."""
    import keras

    import keras_simmim as ks

    images, truth = shapes_to_find()
    detector.compile(keras.optimizers.AdamW(1e-3))
    detector.fit(images, truth, batch_size=8, epochs=steps, verbose=0)
    found = detector.predict(images, verbose=0)
    return ks.evaluation.coco_metrics(found, truth)["mAP50"]

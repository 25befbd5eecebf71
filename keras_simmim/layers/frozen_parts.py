"""Which parts of a network do not learn, as names that survive saving."""

import re
from collections import Counter
from collections.abc import Collection, Iterator

import keras


def frozen_parts(network: keras.layers.Layer) -> list[str]:
    """List the layers of a network whose `trainable` is False, and single weights likewise.

    Args:
        network: any layer or model.

    Returns:
        Paths of layers, "" for the network itself; a weight that was frozen by itself stands
        behind a colon. Numbers that Keras appends to the names of layers count for nothing:
        they differ between processes.

    Example:
    ```python
    import keras_simmim as ks
    from keras_simmim.layers.frozen_parts import frozen_parts

    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    backbone.stem.trainable = False
    frozen_parts(backbone)   # ['/stem']
    ```
    """
    parts = []
    for path, layer in _parts(network):
        if not layer.trainable:
            parts.append(path)
        else:
            parts += [f"{path}:{v.name}" for v in layer._trainable_variables if not v.trainable]
    return parts


def freeze_parts(network: keras.layers.Layer, parts: Collection[str]) -> None:
    """Freeze these parts of a network, and let all others learn.

    Args:
        network: any layer or model.
        parts: of `frozen_parts`; those that the network does not have count for nothing.
    """
    # To set a layer's flag sets those of the layers in it, which come behind it here.
    for path, layer in list(_parts(network)):
        layer.trainable = path not in parts
        # TensorFlow does not even set what is set already.
        for variable in layer._trainable_variables:
            variable.trainable = layer.trainable and f"{path}:{variable.name}" not in parts


def _parts(layer: keras.layers.Layer, path: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yield a layer and all layers in it, each before those that are in itself."""
    yield path, layer
    seen: Counter[str] = Counter()
    for child in layer._flatten_layers(include_self=False, recursive=False):
        name = re.sub(r"_\d+$", "", child.name)
        number = f"_{seen[name]}" if seen[name] else ""
        seen[name] += 1
        yield from _parts(child, f"{path}/{name}{number}")

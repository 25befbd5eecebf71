"""Convolutional Keras models, run without seeing what is hidden."""

import inspect
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.layers.visible_maps import keep_visible, mask_of_size

# Their maps are those before, moved by a margin that no mask of blocks has.
_MARGINS = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)
# What may lay the positions of a map out anew; operations as well as layers are called so.
_REARRANGING = {"Reshape", "Permute", "Transpose", "Moveaxis", "Swapaxes"}


def masked_call(
    layer: keras.layers.Layer, maps: Tensor, visible: Tensor, training: bool | None = None
) -> Tensor:
    """Call a convolutional layer or model such that nothing hidden is in any of its maps.

    The input is masked, and so is every map between: not behind convolutions alone, since biases,
    batch norms and activations make hidden positions something else than zero, which the next
    window would see; and a product is cheap. Dense convolutions between masks compute what sparse
    ones do. Nested functional and sequential models are entered; a layer or model of another kind
    is one step.

    Batch norms take their statistics, in training, of visible positions alone. Pooling windows and
    global means count hidden positions as zeros.

    Where windows have no padding of their own ("valid"), maps shrink at their margins, and masks
    are stretched over what is left.

    Args:
        layer: what `gives_maps` accepts.
        maps: (B, H, W, C).
        visible: float (B, h, w, 1), 1 for a visible block of the image and 0 for a hidden one.
        training: whether layers behave as in training.

    Returns:
        What the layer gives, (B, h', w', c'), zero at positions that cover hidden blocks alone.

    Source: Woo et al., "ConvNeXt V2", CVPR 2023, section 3.1; Tian et al., "Designing BERT for
    Convolutional Networks: Sparse and Hierarchical Masked Modeling", ICLR 2023.

    Example:
    ```python
    import keras
    from keras_simmim.backbones.masked_call import masked_call

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, padding="same")])
    visible = keras.ops.reshape(keras.ops.array([1.0, 0.0, 0.0, 0.0]), (1, 2, 2, 1))
    masked_call(model, keras.ops.ones((1, 8, 8, 3)), visible)[0, 0, 4:, 0]   # [0., 0., 0., 0.]
    ```
    """
    return _call(layer, (keep_visible(maps, visible),), {}, visible, training)


def gives_maps(layer: Any) -> bool:
    """Tell whether what lies in a model are maps (B, h, w, c), and vectors (B, c) beside them.

    Args:
        layer: a layer or built model; functional and sequential models are entered.

    Returns:
        False for one with tokens or other arrays, or with positions that are laid out anew.
    """
    if _is_graph(layer):
        return all(gives_maps(operation) for operation in _operations(layer))
    for output in keras.tree.flatten(getattr(layer, "output", [])):
        if len(output.shape) not in (2, 4):
            return False
        is_rearranged = type(layer).__name__ in _REARRANGING and len(output.shape) == 4
        if is_rearranged and tuple(output.shape[1:3]) != (1, 1):
            return False
    return True


def _call(
    operation: Any, arguments: Any, options: Any, visible: Tensor, training: bool | None
) -> Any:
    """Call one node of a graph as Keras does, and mask the maps that it gives."""
    if isinstance(operation, keras.Sequential):
        outputs = arguments[0]
        for layer in operation.layers:
            outputs = _call(layer, (outputs,), {}, visible, training)
        return outputs
    if _is_graph(operation):
        inputs = [
            ops.cast(given, symbol.dtype)
            for given, symbol in zip(keras.tree.flatten(arguments), operation.inputs, strict=True)
        ]
        outputs = operation._run_through_graph(
            inputs,
            lambda node: (
                lambda *arguments, **options: _call(node, arguments, options, visible, training)
            ),
        )
        return outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs
    options = dict(options)
    if training is not None and "training" in inspect.signature(operation.call).parameters:
        options["training"] = training
    if isinstance(operation, keras.layers.BatchNormalization):
        shape = arguments[0].shape
        if len(shape) == 4:
            options["mask"] = mask_of_size(visible, *shape[1:3])[..., 0] > 0
    outputs = operation(*arguments, **options)
    if isinstance(operation, _MARGINS):
        return outputs
    return keras.tree.map_structure(
        lambda output: keep_visible(output, visible) if len(output.shape) == 4 else output, outputs
    )


def _is_graph(layer: Any) -> bool:
    """Tell whether a layer is a model that does no more than to call its layers one by one."""
    if isinstance(layer, keras.Sequential):
        return type(layer).call is keras.Sequential.call
    if not isinstance(layer, keras.Function):
        return False
    # Keras does not export the class of functional models; it is the one that derives from this.
    defines_call = next(each for each in type(layer).__mro__ if "call" in vars(each))
    return keras.Function in defines_call.__bases__


def _operations(model: Any) -> list[Any]:
    """List the layers and operations of a functional or sequential model."""
    return model.layers if isinstance(model, keras.Sequential) else model.operations

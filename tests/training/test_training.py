"""Training: gradients, logs and counters are the same however `fit` is told to run."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks


def numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def weights_of(model):
    return [numbers(weight) for weight in model.trainable_weights]


def loss_of(model, data):
    return float(numbers(model.compute_losses(data, training=True).losses["loss"][0]))


def fit(model, *data, **arguments):
    """The logs of one epoch in order, each a number."""
    if isinstance(data[0], np.ndarray):
        arguments = {"batch_size": 8, **arguments}
    history = model.fit(*data, shuffle=False, verbose=0, **arguments).history
    return {name: values[-1] for name, values in history.items()}


@pytest.fixture(scope="module")
def stepping_model(make_model):
    """A model whose optimizer takes plain steps: the weights move by minus the gradient."""
    model = make_model(num_classes=3)
    model.compile(keras.optimizers.SGD(1.0))
    return model, model.get_weights()


def test_one_step_goes_down_the_gradient_by_its_norm(stepping_model, images, labels):
    model, initial = stepping_model
    model.set_weights(initial)
    before = weights_of(model)
    expected = loss_of(model, (images, labels))
    logs = fit(model, images, labels)
    assert set(logs) == {
        "loss",
        "reconstruction_loss",
        "spatial_loss",
        "classification_loss",
        "accuracy",
        "gradient_norm",
        "skipped_steps",
    }
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert int(numbers(model.step)) == 1

    gradients = [old - new for old, new in zip(before, weights_of(model), strict=True)]
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert np.abs(gradient).max() > 0, f"no gradient reaches {weight.path}"
    norm = np.sqrt(sum(np.sum(gradient.astype("float64") ** 2) for gradient in gradients))
    assert logs["gradient_norm"] == pytest.approx(norm, rel=1e-3)

    # The loss rises by the norm for each unit walked along the gradient, from both sides.
    model.set_weights(initial)
    losses = []
    for distance in (1e-3, -1e-3):
        for weight, old, gradient in zip(model.trainable_weights, before, gradients, strict=True):
            weight.assign(old + distance / norm * gradient)
        losses.append(loss_of(model, (images, labels)))
    assert (losses[0] - losses[1]) / 2e-3 == pytest.approx(norm, rel=0.03)


def test_steps_count_and_draw_new_masks(stepping_model, images, labels):
    model, initial = stepping_model
    model.set_weights(initial)
    losses = []
    model.optimizer.learning_rate = 0.0
    try:
        for step in range(2):
            model.step.assign(step)
            losses.append(loss_of(model, (images, labels)))
        model.step.assign(0)
        history = model.fit(
            images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0
        ).history
    finally:
        model.optimizer.learning_rate = 1.0
    assert history["loss"] == pytest.approx(losses, rel=1e-5)
    assert losses[0] != pytest.approx(losses[1], rel=1e-5)
    assert int(numbers(model.step)) == 2


def test_every_container_trains_alike(stepping_model, images, labels, containers):
    model, initial = stepping_model
    results = {}
    for name in ("array", *containers):
        model.set_weights(initial)
        if name == "array":
            logs = fit(model, images, labels, batch_size=4)
        else:
            logs = fit(model, containers[name](images, labels))
        assert int(numbers(model.step)) == 2
        results[name] = (logs, weights_of(model))
    for name in containers:
        assert results[name][0] == pytest.approx(results["array"][0], rel=1e-4)
        for one, other in zip(results[name][1], results["array"][1], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_unlabelled_training_logs_and_validates(make_model, images, labels):
    model = make_model()
    model.compile(keras.optimizers.SGD(0.0))
    logs = fit(model, images, validation_data=(images, labels), validation_batch_size=8)
    assert set(logs) == {
        "loss",
        "reconstruction_loss",
        "spatial_loss",
        "gradient_norm",
        "skipped_steps",
        "val_loss",
        "val_reconstruction_loss",
        "val_spatial_loss",
    }
    assert np.isfinite(logs["gradient_norm"])
    assert logs["gradient_norm"] > 0
    evaluations = [
        model.evaluate(images, batch_size=8, verbose=0, return_dict=True) for _ in range(2)
    ]
    assert evaluations[0] == evaluations[1]
    assert set(evaluations[0]) == {"loss", "reconstruction_loss", "spatial_loss"}
    assert logs["val_loss"] == pytest.approx(evaluations[0]["loss"], rel=1e-6)
    assert logs["val_loss"] != pytest.approx(logs["loss"], rel=1e-6)


def test_classification_averages_over_labelled_images_of_all_batches(
    stepping_model, images, labels
):
    """Batches of 3 and 1 labelled images: the epoch's mean is that of the 4 images."""
    model, initial = stepping_model
    model.set_weights(initial)
    known = np.array([0, 1, 2, -1, -1, -1, -1, 0])
    logs = model.evaluate(images, known, batch_size=4, verbose=0, return_dict=True)
    probabilities = numbers(model(ops.array(images)))[known >= 0]
    targets = known[known >= 0]
    entropy = -np.log(probabilities[np.arange(4), targets])
    assert logs["classification_loss"] == pytest.approx(entropy.mean(), rel=1e-4)
    assert logs["accuracy"] == pytest.approx((probabilities.argmax(axis=1) == targets).mean())


def test_accumulated_gradients_are_averaged_and_every_batch_is_a_step(
    stepping_model, make_model, images, labels
):
    model, initial = stepping_model
    gradients = []
    for step in range(2):
        model.set_weights(initial)
        model.step.assign(step)
        before = weights_of(model)
        fit(model, images[4 * step :][:4], labels[4 * step :][:4], batch_size=4)
        gradients.append([old - new for old, new in zip(before, weights_of(model), strict=True)])
    accumulating = make_model(num_classes=3)
    accumulating.set_weights(initial)
    accumulating.compile(keras.optimizers.SGD(1.0, gradient_accumulation_steps=2))
    before = weights_of(accumulating)
    fit(accumulating, images, labels, batch_size=4)
    assert int(numbers(accumulating.step)) == 2
    after = weights_of(accumulating)
    for old, new, first, second in zip(before, after, *gradients, strict=True):
        np.testing.assert_allclose(old - new, (first + second) / 2, rtol=1e-2, atol=1e-4)


@pytest.mark.long
def test_moving_averages_replace_the_weights_at_the_end(stepping_model, make_model, images, labels):
    model, initial = stepping_model
    model.set_weights(initial)
    path = []
    for _ in range(2):
        fit(model, images, labels)
        path.append(weights_of(model))
    averaging = make_model(num_classes=3)
    averaging.set_weights(initial)
    averaging.compile(keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.25))
    fit(averaging, images, labels, epochs=2)
    # Keras starts the average at the weights after the first step.
    for average, first, second in zip(weights_of(averaging), *path, strict=True):
        np.testing.assert_allclose(average, 0.25 * first + 0.75 * second, rtol=1e-2, atol=1e-3)


@pytest.mark.long
def test_a_multi_optimizer_gives_each_weight_its_own_rate(make_model, images):
    model = make_model()
    frozen, moving = keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1)
    optimizers = keras.optimizers.OptimizerMap(moving, {".*stem/.*": frozen})
    model.compile(keras.optimizers.MultiOptimizer(optimizers))
    before = weights_of(model)
    fit(model, images)
    moved = {
        weight.path: np.abs(old - new).max() > 0
        for weight, old, new in zip(model.trainable_weights, before, weights_of(model), strict=True)
    }
    assert sum("stem/" in path for path in moved) == 2
    assert moved == {path: "stem/" not in path for path in moved}


def convolutional_model():
    """Large random weights, whose gradients stay moderate without attention."""
    model = ks.SimMIM(
        ks.backbones.ConvNet((16, 24, 3), (8,), kernel_size=4, strides=4),
        ks.masking.SpatialMasking(0.6, 8),
        classifier=ks.heads.ClassificationHead(3),
        mask_on="pixels",
    )
    generator = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.3)
    return model


@pytest.mark.parametrize(
    "precision",
    [
        "mixed_bfloat16",
        pytest.param("float32", marks=pytest.mark.long),
        pytest.param("mixed_float16", marks=pytest.mark.long),
    ],
    indirect=True,
)
def test_half_precision_trains_as_float32_does(images, labels, precision):
    model = convolutional_model()
    # Scaled gradients must not overflow in the one step that is measured.
    optimizer = keras.optimizers.SGD(1e-2)
    if precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=128.0)
    model.compile(optimizer)
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    reference = convolutional_model()
    keras.config.set_dtype_policy(with_policy)
    expected = loss_of(reference, (images, labels))
    before = weights_of(model)
    logs = fit(model, images, labels)
    assert model.backbone.stem.layers[0].compute_dtype == precision.removeprefix("mixed_")
    assert logs["loss"] == pytest.approx(expected, rel=0.02)
    # The logged norm is that of the loss' gradient, not of the loss as scaled against underflow.
    moved = [old - new for old, new in zip(before, weights_of(model), strict=True)]
    norm = np.sqrt(sum(np.sum(change.astype("float64") ** 2) for change in moved)) / 1e-2
    assert norm > 0.1
    assert logs["gradient_norm"] == pytest.approx(norm, rel=0.01)


@pytest.mark.parametrize("precision", ["mixed_float16"], indirect=True)
def test_float16_gets_a_loss_scale_by_itself(make_model, precision):
    model = make_model()
    model.compile("sgd")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


# torch's compiler asks every tensor for its gradient, and torch warns that most have none; on
# import it uses what torch itself deprecates; and it leaves to Python the question of Keras'
# attention whether the device has flash attention.
@pytest.mark.fast_on("tensorflow")
@pytest.mark.filterwarnings("ignore:Dynamo does not know how to trace the builtin")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")
@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("jit", marks=pytest.mark.long),
        pytest.param("no jit", marks=pytest.mark.long),
        "auto",
        "eager",
    ],
)
def test_compiled_and_plain_steps_agree(mode):
    model = ks.SimMIM(
        ks.backbones.ViT((4, 4, 1), 2, 1, 1, 4, mlp_dim=4), ks.masking.SpatialMasking(0.5, 1)
    )
    image = np.arange(32, dtype="uint8").reshape(2, 4, 4, 1) * 8
    expected = loss_of(model, image)
    evaluation = float(numbers(model.compute_losses(image, training=False).losses["loss"][0]))
    modes = {"jit": {"jit_compile": True}, "no jit": {"jit_compile": False}, "auto": {}}
    model.compile(keras.optimizers.SGD(1e-3), **modes.get(mode, {"run_eagerly": True}))
    evaluated = model.evaluate(image, batch_size=2, verbose=0, return_dict=True)
    assert evaluated["loss"] == pytest.approx(evaluation, rel=1e-4)
    logs = fit(model, image, batch_size=2)
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)
    assert int(numbers(model.step)) == 1
    assert loss_of(model, image) != expected


@pytest.mark.long
def test_eight_images_are_learned(make_model):
    """Images of one colour each: what is visible tells what is hidden."""
    colours = np.random.default_rng(0).integers(0, 256, (8, 1, 1, 3), dtype="uint8")
    model = make_model()
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(
        np.broadcast_to(colours, (8, 16, 24, 3)), batch_size=8, epochs=60, verbose=0
    ).history
    assert np.mean(history["loss"][-5:]) < 0.5 * np.mean(history["loss"][:5])

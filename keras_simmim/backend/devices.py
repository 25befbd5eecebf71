"""What the backend computes on, by the names of the makers."""

import keras


def device_names() -> list[str]:
    """The accelerators that the backend sees, or ["CPU"]."""
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            devices = tf.config.list_physical_devices("GPU")
            details = map(tf.config.experimental.get_device_details, devices)
            names = [str(detail.get("device_name", "GPU")) for detail in details]
        case "jax":
            import jax

            names = [device.device_kind for device in jax.devices() if device.platform != "cpu"]
        case _:
            import torch

            count = torch.cuda.device_count()
            names = [torch.cuda.get_device_name(index) for index in range(count)]
    return names or ["CPU"]

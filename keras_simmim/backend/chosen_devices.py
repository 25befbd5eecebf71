"""Which devices a user means."""

from collections.abc import Sequence


def chosen_devices(devices: int | Sequence[str] | None, found: list[str]) -> list[str]:
    """Return the names of devices that exist: all, the first, or those that are named.

    Args:
        devices: None for all, how many, or their names.
        found: the names of those that exist.

    Raises:
        ValueError: for devices that do not.
    """
    chosen = found if devices is None else found[:devices] if isinstance(devices, int) else devices
    missing = isinstance(devices, int) and len(chosen) < devices
    if missing or any(name not in found for name in chosen):
        raise ValueError(f"devices must be among {found}, got {devices!r}.")
    return list(chosen)

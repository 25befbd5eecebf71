"""Who chose what and when, as each user's items in order."""

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Interactions(NamedTuple):
    """Hold the items of all users, one user after the other, each in order of time.

    Attributes:
        values: int32 (M, 1 + F), an item and its features.
        starts: int64 (U,), the place of each user's first item among them.
        counts: int64 (U,), the items of each user.
        users: (U,), sorted.
        feature_names: of the features; None if there are none.
    """

    values: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    users: np.ndarray
    feature_names: list[str] | None

    @classmethod
    def from_arrays(
        cls, users: Any, items: Any, times: Any, features: Mapping[str, Any] | None
    ) -> "Interactions":
        """Return the interactions of arrays in any order; equal times keep it.

        Args:
            users: numbers or texts (M,).
            items: integers (M,), at least 1.
            times: numbers or dates (M,).
            features: by name, integers (M,), at least 1; or None.

        Raises:
            ValueError: for arrays of other shapes, types or values.
        """
        who, when = _one_axis("users", users), _one_axis("times", times)
        if when.dtype.kind == "O":
            with contextlib.suppress(TypeError, ValueError):
                when = when.astype("datetime64[us]")
        if when.dtype.kind not in "iufM":
            raise ValueError(f"times must be numbers or dates, got {when.dtype}.")
        for name, values in (("users", who), ("times", when)):
            if values.dtype.kind in "fM" and not np.all(np.isfinite(values)):
                raise ValueError(f"{name} must be finite, got NaN or infinity among them.")
        if who.dtype.kind not in "iufUSTO":
            raise ValueError(f"users must be numbers or texts, got {who.dtype}.")
        if features is not None and not isinstance(features, Mapping):
            raise ValueError(f"features must be a dictionary of arrays, got {features!r:.60}.")
        named = {f"features[{name!r}]": values for name, values in (features or {}).items()}
        columns = [_identifiers("items", items)]
        columns += [_identifiers(name, values) for name, values in named.items()]
        for name, values in zip(("times", "items", *named), (when, *columns), strict=True):
            if len(values) != len(who):
                raise ValueError(f"{name} must be as many as users, {len(who)}, got {len(values)}.")
        if not len(who):
            raise ValueError("users, items and times must hold at least one, got none.")
        try:
            names, numbers = np.unique(who, return_inverse=True)
        except TypeError as error:
            raise ValueError("users must all be numbers or all texts, got both.") from error
        counts = np.bincount(numbers)
        # Of equal keys the order stays.
        order = np.lexsort((when, numbers))
        return cls(
            values=np.stack(columns, axis=1)[order],
            starts=np.cumsum(counts) - counts,
            counts=counts,
            users=names,
            feature_names=list(features) if features else None,
        )

    def last(self, chosen: np.ndarray, stops: np.ndarray, length: int) -> np.ndarray:
        """Return the last items of users before a place, padded with 0 on the right.

        Args:
            chosen: numbers (N,) of the users.
            stops: (N,), how many of each user's items come before the place.
            length: most items, L.

        Returns:
            int32 (N, L), or (N, L, 1 + F) with features.
        """
        kept = np.minimum(stops, length)
        places = np.arange(length)
        index = (self.starts[chosen] + stops - kept)[:, None] + places
        is_valid = places < kept[:, None]
        rows = self.values[np.where(is_valid, index, 0)] * is_valid[..., None]
        return rows if self.feature_names else rows[..., 0]

    def items_at(self, chosen: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return one item of each user, int32 (N,).

        Args:
            chosen: numbers (N,) of the users.
            places: (N,), its place among the user's items.
        """
        return self.values[self.starts[chosen] + places, 0]


def _one_axis(name: str, given: Any) -> np.ndarray:
    """Return an array (M,)."""
    values = np.asarray(given)
    if values.ndim != 1:
        raise ValueError(f"{name} must be an array (M,), got the shape {values.shape}.")
    return values


def _identifiers(name: str, given: Any) -> np.ndarray:
    """Return integers of at least 1 as int32 (M,)."""
    values = _one_axis(name, given)
    if values.size and values.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be integers of at least 1, got {values.dtype}: "
            f"np.unique({name}, return_inverse=True)[1] + 1 numbers anything."
        )
    if values.size and (values.min() < 1 or values.max() >= 2**31):
        raise ValueError(
            f"{name} must be from 1 to 2³¹ − 1, as 0 is padding; got values from {values.min()} "
            f"to {values.max()}."
        )
    return values.astype(np.int32)

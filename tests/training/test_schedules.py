"""Schedules on their own; tests of the recipes compare their every rate."""

import keras
import numpy as np
import pytest
from official_rates import numbers

from keras_simmim.training import WarmupCosine, WarmupMilestones


@pytest.mark.parametrize(
    "schedule",
    [
        WarmupCosine(1e-3, 1e-5, 4, 1e-4, 20),
        WarmupCosine(1e-3, 1e-5, 0, 0.0, 20),
        WarmupMilestones(1e-3, 1e-5, 4, (7, 12), 0.5),
    ],
)
def test_a_schedule_comes_back_from_its_configuration(schedule):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(copy) is type(schedule)
    assert copy.get_config() == schedule.get_config()
    steps = np.arange(30)
    np.testing.assert_array_equal(numbers(copy(steps)), numbers(schedule(steps)))
    assert float(numbers(copy(13))) == numbers(copy(steps))[13]


def test_several_milestones_and_no_warm_up():
    rates = numbers(WarmupMilestones(1.0, 0.5, 0, (3, 5), 0.5)(np.arange(8)))
    # Update 0 and 1 use the rate of step 0, update 4 that of step 3.
    np.testing.assert_array_equal(rates, [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25])


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="base_rate must be at least 0"):
        WarmupCosine(-1, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="minimum_rate must be at least 0"):
        WarmupCosine(1, 0, 0, -1, 1)
    with pytest.raises(ValueError, match="total_steps must be at least 1 and warmup_steps=5"):
        WarmupCosine(1, 0, 5, 0, 4)
    with pytest.raises(ValueError, match="milestones must be at least warmup_steps=5"):
        WarmupMilestones(1, 0, 5, (9, 4))
    with pytest.raises(ValueError, match="factor must be at least 0"):
        WarmupMilestones(1, 0, 0, (), -0.1)

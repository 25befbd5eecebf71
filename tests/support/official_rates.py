"""The official code's learning rates, from its formulas in NumPy."""

import math

import numpy as np
from keras import ops


def numbers(tensor):
    return ops.convert_to_numpy(tensor).copy()


def official_rates(rate_of_step, first, updates):
    """The rates that the official loop uses: it sets the next one after each update."""
    rates, rate = [], first
    for update in range(updates):
        rates.append(rate)
        rate = rate_of_step(update)
    return np.array(rates)


def official_cosine(base, warmup, minimum, warmup_steps, steps, updates):
    def rate(step):
        if step < warmup_steps:
            return warmup + step * (base - warmup) / warmup_steps
        if step >= steps:
            return minimum
        return minimum + 0.5 * (base - minimum) * (1 + math.cos(math.pi * step / steps))

    return official_rates(rate, warmup, updates)


def official_milestone(base, warmup, warmup_steps, milestone, updates):
    def rate(step):
        if step < warmup_steps:
            return warmup + step * (base - warmup) / warmup_steps
        return base if step < milestone else 0.1 * base

    return official_rates(rate, warmup, updates)

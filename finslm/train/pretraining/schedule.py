"""The learning rate by step."""

from __future__ import annotations

import math

from finslm.train.pretraining.presets import preset
from finslm.train.pretraining.recipe import PretrainingRecipe, PretrainRecipe


def peak(recipe: PretrainRecipe) -> float:
    """Peak learning rate: the recipe's, or what suits the preset."""
    return recipe.training.learning_rate or preset(str(recipe.preset)).learning_rate


def rate(recipe: PretrainingRecipe, step: int, steps: int) -> float:
    """Share of the peak learning rate at a step, from 0.

    A linear warm-up, then ``cosine`` (Loshchilov & Hutter 2017, arXiv:1608.03983) or ``wsd``; both end at
    ``final_share``.
    """
    warm = recipe.warmup_share * steps
    if step < warm:
        return (step + 1) / (warm + 1)
    if recipe.schedule == "wsd":
        left = min(1.0, (steps - step) / max(1.0, recipe.decay_share * steps))
        return recipe.final_share + (1 - recipe.final_share) * left
    done = (step - warm) / max(1.0, steps - 1 - warm)
    return recipe.final_share + (1 - recipe.final_share) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

"""Hypothesis tries the same examples in every run; HYPOTHESIS_PROFILE=explore tries new ones.

And every test draws the same random numbers: torch's own seed is another in each process.
"""

import os
import random

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("course", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "course"))


@pytest.fixture(autouse=True)
def seeded():
    """All that draws without a seed of its own."""
    torch.manual_seed(0)
    np.random.seed(0)  # whatever a library may draw
    random.seed(0)

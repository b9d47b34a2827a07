"""Tests; the features' package comes first, since it sets what numpy reads when imported."""

import agent.features  # noqa: F401

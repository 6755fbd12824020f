"""A job that ends badly, in the way that its hyperparameter says."""

from __future__ import annotations

import sys

print("about to fail")
if "raise" in sys.argv:
    raise ValueError("the data makes no sense")

"""Groundswell: crowd labelling as data pipelines.

The packages below this one are the core (``batches``, ``templates``, ``answers`` and so on), which
imports neither Airflow nor boto3, and the layers above it (``aws``, ``ui``), which do.
"""

from __future__ import annotations

__version__ = "0.1.0"

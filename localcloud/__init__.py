"""One endpoint for a laptop: MTurk, SageMaker and the AWS services that the pipelines use."""

from __future__ import annotations

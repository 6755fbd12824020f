"""A SageMaker that really trains and really serves, on one machine and without containers.

Image URIs are recorded and described as given, never pulled: training scripts run under AWS's own
``sagemaker-training`` toolkit and models under a scikit-learn script-mode server, both in the
interpreter that SageMaker is given. All resources belong to one account.
"""

from __future__ import annotations

from localcloud.sagemaker.app import sagemaker_app
from localcloud.sagemaker.service import SageMaker
from localcloud.sagemaker.settings import SageMakerSettings

__all__ = ["SageMaker", "SageMakerSettings", "sagemaker_app"]

"""What may be tuned without changing behaviour that clients see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SageMakerSettings:
    """Limits and waiting times in seconds; the defaults are those that AWS documents."""

    concurrent_jobs: int = 2
    """Training jobs that run at once; more wait as ``Starting``."""
    stop_grace: float = 120
    """Between SIGTERM and SIGKILL of a training job."""
    serving_stop_grace: float = 30
    """Between SIGTERM and SIGKILL of a serving process; also the time that running requests get."""
    startup_timeout: float = 240
    """Until a serving process must answer ``/ping``, unless its variant says otherwise."""
    ping_timeout: float = 2
    """Of one ``/ping``."""
    invocation_timeout: float = 60
    """Of one ``/invocations``."""
    dependency_timeout: float = 120
    """How long S3 is waited for after a restart, before interrupted work goes on."""
    log_interval: float = 0.5
    """Between two deliveries of log lines."""

"""Ports for servers that are started seconds after their port was chosen."""

from __future__ import annotations

import random
import socket
from itertools import islice

HOST = "127.0.0.1"
#: Below what Linux and macOS hand out by themselves (from 32768 and 49152): neither a connection nor a
#: server of another test gets such a port meanwhile.
CHOICE = range(20000, 32000)


def stack_ports() -> dict[str, str]:
    """Return two free ports, by the names that the stack reads from its environment."""
    drawn = random.SystemRandom().sample(CHOICE, len(CHOICE))
    ports = islice(filter(_is_free, drawn), 2)
    return dict(zip(("AIRFLOW_PORT", "CLOUD_PORT"), map(str, ports), strict=True))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True

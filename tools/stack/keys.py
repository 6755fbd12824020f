"""Secrets of the local stack: generated once, kept readable by the owner alone."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.stack.layout import Layout

ADMIN = "admin"


@dataclass(frozen=True)
class Keys:
    """Airflow's keys and the password of its only user."""

    fernet_key: str
    api_secret_key: str
    jwt_secret: str
    admin_password: str

    @classmethod
    def generate(cls) -> Keys:
        """Make new random keys."""
        return cls(
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            api_secret_key=secrets.token_urlsafe(48),
            jwt_secret=secrets.token_urlsafe(64),
            admin_password=secrets.token_urlsafe(12),
        )


def load_or_create(layout: Layout) -> Keys:
    """Read the keys, or make them; also write the password file that Airflow reads."""
    try:
        keys = Keys(**json.loads(layout.secrets.read_text()))
    except (OSError, ValueError, TypeError):
        keys = Keys.generate()
        _write_private(layout.secrets, json.dumps(asdict(keys), indent=1) + "\n")
    _write_private(layout.passwords, json.dumps({ADMIN: keys.admin_password}) + "\n")
    return keys


def _write_private(path: Path, text: str) -> None:
    """Write a file that was never readable by others, not even for a moment."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)

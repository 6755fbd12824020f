"""A job that runs until it is told to stop, and then saves what it has; its child ignores everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def save(*_: object) -> None:
    Path(os.environ["SM_MODEL_DIR"], "saved.txt").write_text("what there was at SIGTERM")
    print("saved at SIGTERM", flush=True)
    child.kill()
    sys.exit(0)


signal.signal(signal.SIGTERM, save)
child = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
print(f"pids {os.getpid()} {child.pid}", flush=True)
while True:
    time.sleep(0.1)

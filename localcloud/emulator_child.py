"""Runs the AWS emulator (ministack) in its own interpreter; started as a script by `localcloud.emulator`.

It imports only the standard library and what the emulator's environment has. Beyond the
emulator's own `main` it does five things:

* It leaves when its parent leaves, however the parent dies: standard input is a pipe whose other
  end only the parent holds.
* It holds a lock on its folder, so that the successor of a killed parent waits until the last
  state is on disk.
* It saves the state of the services soon after every call that changed some. By itself the
  emulator saves S3 objects at once and everything else only on an orderly shutdown.
* It mends where the emulator differs from AWS in what we depend on (`localcloud.emulator_fixes`).
* It makes objects readable again that a predecessor was overwriting when it was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import importlib
import importlib.util
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

LOCK_WAIT_S = 20.0
SHUTDOWN_LIMIT_S = 6.0  # after the state is saved
MIN_PAUSE_S = 0.5  # between two snapshots
PAUSE_PER_COST = 10.0  # a snapshot that takes 0.2 s is followed by 2 s without one
READS = ("Get", "List", "Describe", "Filter", "Lookup", "BatchGet", "Head")
EXIT_LOCKED = 3

log = logging.getLogger("localcloud.emulator")


def changes_state(scope: dict[str, Any]) -> bool:
    """Tell whether a request may have changed the state of a service; when in doubt it may."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    headers = dict(scope["headers"])
    operation = headers.get(b"x-amz-target", b"").decode("latin-1").rpartition(".")[2]
    path = scope["path"]
    if not operation and path.startswith("/service/"):  # smithy RPC v2: /service/<name>/operation/<name>
        operation = path.rpartition("/")[2]
    return not operation.startswith(READS)


class Snapshots:
    """Saves what the services hold, in the emulator's own format, a moment after it changed.

    ``sources`` gives the function that reads the state of each loaded service; ``save`` writes one.
    """

    def __init__(
        self, sources: Callable[[], dict[str, Callable[[], Any]]], save: Callable[[str, Any], None]
    ) -> None:
        self._sources = sources
        self._save = save
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    def touch(self) -> None:
        """Note that something changed."""
        self._changed.set()

    async def run(self) -> None:
        """Save after changes, for ever."""
        while True:
            await self._changed.wait()
            started = time.monotonic()
            await self.save_now()
            await asyncio.sleep(max(MIN_PAUSE_S, PAUSE_PER_COST * (time.monotonic() - started)))

    async def save_now(self) -> None:
        """Save every loaded service; one that is busy changing is tried again in the next round."""
        async with self._turn:
            self._changed.clear()
            for name, read in self._sources().items():
                try:
                    state = read()
                except Exception:  # a service's worker threads may change a dict that is being copied
                    log.warning(
                        "the state of %s could not be read, next try in a moment", name, exc_info=True
                    )
                    self._changed.set()
                    continue
                if state is not None:
                    await asyncio.to_thread(self._save, name, state)


def watched(app: Callable[..., Any], touch: Callable[[], None]) -> Callable[..., Any]:
    """Wrap the emulator's ASGI app so that ``touch`` is called after each request that may change state."""

    async def handle(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not changes_state(scope):
            await app(scope, receive, send)
            return
        try:
            await app(scope, receive, send)
        finally:
            touch()

    return handle


def leave_with_parent(leave: Callable[[], object]) -> None:
    """Call ``leave`` when standard input ends, which is when the parent is gone."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        leave()

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def take_lock(path: Path) -> IO[str]:
    """Lock ``path`` for this process, waiting for a predecessor that is still saving.

    Raises TimeoutError after `LOCK_WAIT_S` seconds.
    """
    handle = path.open("a")
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"another emulator still holds {path}") from None
            time.sleep(0.05)


def mend_objects(folder: Path) -> list[Path]:
    """Let the emulator describe an object anew whose body is younger than what is known of it.

    The emulator writes an object's body and then, in a file beside it, size, ETag and checksums. Killed in
    between it leaves those of the body before, with which nobody can read the object any more.
    Returns the bodies.
    """
    mended = []
    for beside in folder.rglob("*.meta.json"):
        body = beside.with_name(beside.name.removesuffix(".meta.json"))
        if body.is_file() and body.stat().st_mtime_ns > beside.stat().st_mtime_ns:
            known = json.loads(beside.read_text())
            new = beside.with_name(beside.name + ".tmp")
            new.write_text(json.dumps({**known, "size": None, "etag": "", "checksums": {}}))
            new.replace(beside)
            mended.append(body)
    return mended


def _snapshots() -> Snapshots | None:
    app = importlib.import_module("ministack.app")
    persistence = importlib.import_module("ministack.core.persistence")
    sources = getattr(app, "_build_persistence_save_dict", None)
    save = getattr(persistence, "save_state", None)
    if sources is None or save is None:
        log.warning("this version of the emulator saves service state on shutdown only")
        return None
    return Snapshots(sources, save)


def _sibling(name: str) -> Any:
    """Import a file beside this one, which is on no search path of the emulator's interpreter."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def serve(listen_fd: int) -> None:
    """Serve the emulator on an already bound socket until a signal or the end of the parent."""
    ministack = importlib.import_module("ministack.app")
    config = importlib.import_module("hypercorn.config").Config()
    hypercorn = importlib.import_module("hypercorn.asyncio")
    # it answers GET /health and PUT /health alike; the front has a /health, and here it is a bucket's name
    vars(ministack)["_HEALTH_PATHS"] = ("/_ministack/health",)
    _sibling("emulator_fixes").apply()
    config.bind = [f"fd://{listen_fd}"]
    config.keep_alive_timeout = (
        300  # longer than the front keeps a connection, so that it never meets a closed one
    )
    config.graceful_timeout = 2
    config.backlog = 1024
    config.errorlog = "-"

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    leave_with_parent(lambda: loop.call_soon_threadsafe(stop.set))

    snapshots = _snapshots()
    saver = asyncio.create_task(snapshots.run()) if snapshots else None

    async def stopped() -> None:
        await stop.wait()
        if snapshots and saver:
            await snapshots.save_now()  # before connections are waited for, which may take too long
            saver.cancel()
        deadline = threading.Timer(SHUTDOWN_LIMIT_S, os._exit, args=(0,))
        deadline.daemon = True
        deadline.start()

    app = watched(ministack.app, snapshots.touch) if snapshots else ministack.app
    await hypercorn.serve(app, config, shutdown_trigger=stopped, mode="asgi")


def main() -> int:
    """Take the lock, serve, and take any process that the emulator started along at the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--lock", type=Path, required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        lock = take_lock(arguments.lock)
    except TimeoutError as error:
        print(error, file=sys.stderr)
        return EXIT_LOCKED
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with lock:
        for body in mend_objects(Path(os.environ["S3_DATA_DIR"])):
            log.warning("%s was being overwritten when the emulator was killed", body)
        asyncio.run(serve(arguments.listen_fd))
        sys.stdout.flush()
        sys.stderr.flush()
    if os.getpgrp() == os.getpid():  # Lambda workers and the like are in our group
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Serves one model as SageMaker's scikit-learn container does in script mode.

A standalone script: it runs in the training interpreter, which has none of this project's packages.

Protocol: "Use Your Own Inference Code with Hosting Services" (``GET /ping``, ``POST /invocations``,
port from ``SAGEMAKER_BIND_TO_PORT``, default 8080) and the script-mode functions that the SageMaker
Python SDK documents: ``model_fn``, ``input_fn``, ``predict_fn``, ``output_fn``, or ``transform_fn``.
``SAGEMAKER_PROGRAM`` names the script in the folder ``SAGEMAKER_SUBMIT_DIRECTORY``;
``SAGEMAKER_BASE_DIR`` plays ``/opt/ml``. With ``LOCALCLOUD_LISTEN_FD`` it serves on that socket,
which the parent bound, instead of a port that somebody else might take in between.
"""

from __future__ import annotations

import http.server
import importlib
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import traceback
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
JSON_TYPE = "application/json"
CSV_TYPE = "text/csv"
TEXT_TYPES = (JSON_TYPE, CSV_TYPE)


class UnusableModel(Exception):
    """The model cannot be served; `str(error)` says what to change."""


class UnsupportedFormat(Exception):
    """No default function reads or writes this media type."""


def default_input_fn(content: Any, content_type: str) -> Any:
    """Read CSV, JSON or NPY into an array, with AWS's own decoders."""
    import numpy
    from sagemaker_training import encoders, errors  # type: ignore[import-not-found]

    try:
        array = encoders.decode(content, content_type)
    except errors.UnsupportedFormatError as error:
        raise UnsupportedFormat(str(error)) from error
    return array.astype(numpy.float32) if content_type in TEXT_TYPES else array


def default_predict_fn(data: Any, model: Any) -> Any:
    """Ask the model, as scikit-learn's estimators are asked."""
    return model.predict(data)


def default_output_fn(prediction: Any, accept: str) -> tuple[Any, str]:
    """Write the prediction as CSV, JSON or NPY, with AWS's own encoders."""
    from sagemaker_training import encoders, errors

    try:
        return encoders.encode(prediction, accept), accept
    except errors.UnsupportedFormatError as error:
        raise UnsupportedFormat(str(error)) from error


class Model:
    """The functions of the user's script around the model that they loaded."""

    def __init__(self, script: ModuleType, folder: Path) -> None:
        if not hasattr(script, "model_fn"):
            raise UnusableModel(
                f"{script.__name__}.py has no model_fn(model_dir); define it to load the model"
            )
        self._transform = getattr(script, "transform_fn", None)
        own = [name for name in ("input_fn", "predict_fn", "output_fn") if hasattr(script, name)]
        if self._transform is not None and own:
            raise UnusableModel(
                f"{script.__name__}.py has transform_fn and {own[0]}; keep one of the two ways"
            )
        self._input = getattr(script, "input_fn", default_input_fn)
        self._predict = getattr(script, "predict_fn", default_predict_fn)
        self._output = getattr(script, "output_fn", default_output_fn)
        self._model = script.model_fn(str(folder))

    def invoke(self, body: bytes, content_type: str, accept: str) -> tuple[int, bytes, str]:
        """Return status, body and media type of the answer; what the script raises goes through."""
        content: Any = body.decode("utf-8") if content_type in TEXT_TYPES else body
        if self._transform is not None:
            return answer(self._transform(self._model, content, content_type, accept), accept)
        try:
            data = self._input(content, content_type)
        except UnsupportedFormat as error:
            return failure(error, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        prediction = self._predict(data, self._model)
        try:
            return answer(self._output(prediction, accept), accept)
        except UnsupportedFormat as error:
            return failure(error, HTTPStatus.NOT_ACCEPTABLE)


def answer(result: Any, accept: str) -> tuple[int, bytes, str]:
    """Return the answer for what an output function returned: the content, or (content, media type)."""
    content, media_type = result if isinstance(result, tuple) else (result, accept)
    if isinstance(content, str):
        content = content.encode("utf-8")
    if not isinstance(content, (bytes, bytearray)):
        raise TypeError(
            f"output_fn returned {type(content).__name__}; return str or bytes, or (content, type)"
        )
    return HTTPStatus.OK, bytes(content), media_type


def failure(error: Exception, status: int) -> tuple[int, bytes, str]:
    """Return an error answer in the container's form."""
    document = {
        "error": type(error).__name__,
        "error-message": str(error),
        "stack-trace": traceback.format_exc(),
    }
    return status, json.dumps(document).encode("utf-8"), JSON_TYPE


class Handler(http.server.BaseHTTPRequestHandler):
    """The two paths of the hosting contract."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    model: Model
    default_accept = JSON_TYPE

    def do_GET(self) -> None:
        """Answer the health check."""
        known = self.path == "/ping"
        self.reply(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND, b"", JSON_TYPE)

    def do_POST(self) -> None:
        """Answer one prediction request; an error of the script becomes a 500, with the traceback logged."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/invocations":
            self.reply(HTTPStatus.NOT_FOUND, b"", JSON_TYPE)
            return
        accept = self.headers.get("Accept")
        if not accept or accept == "*/*":
            accept = self.default_accept
        try:
            reply = self.model.invoke(body, self.headers.get("Content-Type") or JSON_TYPE, accept)
        except Exception as error:
            traceback.print_exc()
            reply = failure(error, HTTPStatus.INTERNAL_SERVER_ERROR)
        self.reply(*reply)

    def reply(self, status: int, body: bytes, media_type: str) -> None:
        """Send one complete answer."""
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log requests, health checks left out."""
        if self.path != "/ping":
            super().log_message(format, *args)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A thread for each connection; who stops us lets running requests end first."""

    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind, without the reverse look-up of the host's name that the library does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]


def server_socket() -> Server:
    """Return the server on the socket, or the port, that we were given."""
    inherited = os.environ.get("LOCALCLOUD_LISTEN_FD")
    if inherited is None:
        return Server(("", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler)
    server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=int(inherited))
    return server


def code_folder() -> Path:
    """Return where the script is: SAGEMAKER_SUBMIT_DIRECTORY, with /opt/ml read as our base folder."""
    given = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/code").removeprefix("file://")
    return BASE / given.removeprefix("/opt/ml").lstrip("/") if given.startswith("/opt/ml") else Path(given)


def load_script() -> ModuleType:
    """Import the user's script, its requirements installed first, as the container does."""
    program = os.environ.get("SAGEMAKER_PROGRAM")
    folder = code_folder()
    if not program:
        raise UnusableModel(
            "SAGEMAKER_PROGRAM is not set; name the script with model_fn in the model's Environment"
        )
    if not (folder / program).is_file():
        raise UnusableModel(
            f"there is no {program} in {folder}; set SAGEMAKER_SUBMIT_DIRECTORY to its folder"
        )
    sys.path.insert(0, str((folder / program).parent))
    sys.path.insert(0, str(folder))
    if (folder / "requirements.txt").is_file():
        pip = [sys.executable, "-m", "pip", "install", "-r", "requirements.txt"]
        subprocess.run(pip, cwd=folder, check=True)  # noqa: S603
    return importlib.import_module(Path(program).stem)


def main() -> int:
    """Load the model, then serve until SIGTERM."""
    server = server_socket()
    try:
        Handler.model = Model(load_script(), BASE / "model")
    except UnusableModel as error:
        print(f"The model cannot be served: {error}.", flush=True)
        return 1
    Handler.default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON_TYPE)
    # shutdown() waits for serve_forever(), which runs in this very thread
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"Serving {os.environ['SAGEMAKER_PROGRAM']} with Python {sys.version.split()[0]}.", flush=True)
    server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())

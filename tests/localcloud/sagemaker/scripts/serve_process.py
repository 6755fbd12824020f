"""SageMaker alone in a process, for tests that kill it: STATE ENDPOINT_URL PYTHON; prints its port."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import uvicorn

from localcloud.sagemaker import SageMaker, sagemaker_app
from workforce.api.keys import AccessKey, StaticKeys

# uvicorn raises the signal again when it has stopped; SageMaker is to be stopped after that
signal.signal(signal.SIGTERM, lambda *_: None)
service = SageMaker(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
listener = socket.create_server(("127.0.0.1", 0))
service.start()
print(listener.getsockname()[1], flush=True)
app = sagemaker_app(service, StaticKeys(AccessKey("test", "test", "000000000000")))
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
service.stop()

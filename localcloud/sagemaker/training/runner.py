"""Runs training jobs: a few at a time, each in a process of the training interpreter."""

from __future__ import annotations

import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from localcloud.sagemaker.arns import TRAINING_JOB
from localcloud.sagemaker.errors import ServerClosing
from localcloud.sagemaker.logs import LogStream, epoch
from localcloud.sagemaker.process import Supervised
from localcloud.sagemaker.s3_files import Aws, S3Files, S3Problem, S3Uri, pack
from localcloud.sagemaker.settings import SageMakerSettings
from localcloud.sagemaker.store import Document, DocumentStore
from localcloud.sagemaker.training import contract, state
from localcloud.sagemaker.training.inputs import InputMissing, download_channel
from localcloud.sagemaker.training.metrics import MetricReader
from localcloud.sagemaker.training.requests import DEFAULT_RUNTIME
from workforce.clock import Clock

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_POLL = 0.1


class _Stopped(Exception):
    """The job was asked to stop before its process ran."""


class TrainingRunner:
    """Takes jobs from the store through their statuses; ``submit`` once for each."""

    def __init__(
        self,
        store: DocumentStore,
        aws: Aws,
        folder: Path,
        python: Path,
        clock: Clock,
        settings: SageMakerSettings,
        ready: threading.Event,
    ) -> None:
        """``ready`` is set once S3 answers; no job begins before."""
        self._store = store
        self._ready = ready
        self._aws = aws
        self._files = S3Files(aws)
        self._folder = folder
        self._python = python
        self._clock = clock
        self._settings = settings
        self._pool = ThreadPoolExecutor(settings.concurrent_jobs, thread_name_prefix="training")
        self._lock = threading.Lock()
        self._stops: dict[str, threading.Event] = {}
        self._closing = threading.Event()

    def submit(self, name: str) -> None:
        """Queue a job that is in the store."""
        with self._lock:
            self._stops[name] = threading.Event()
        self._pool.submit(self._run, name)

    def stop(self, name: str) -> None:
        """Ask a job to stop."""
        with self._lock:
            event = self._stops.get(name)
        if event is not None:
            event.set()

    def begin_close(self) -> None:
        """Let no further job begin."""
        self._closing.set()

    def close(self) -> None:
        """Kill what runs, without a change to the jobs: they are run again at the next start."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, name: str) -> None:
        with self._lock:
            stop = self._stops[name]
        folder = contract.JobFolder(self._folder / name)
        self._ready.wait()
        shutil.rmtree(folder.root, ignore_errors=True)
        try:
            self._steps(name, folder, stop)
        except Exception as error:  # the job must end, whatever it is that went wrong
            self._end(name, error)
        finally:
            with self._lock:
                self._stops.pop(name, None)
            shutil.rmtree(folder.root, ignore_errors=True)

    def _end(self, name: str, error: Exception) -> None:
        """Give a job the final status that an error means; none while the server itself ends."""
        if self._closing.is_set():
            return
        if isinstance(error, _Stopped):
            self._enter(name, "Stopped")
        elif isinstance(error, InputMissing):
            self._fail(name, f"ClientError: {error}")
        elif isinstance(error, S3Problem):
            self._fail(name, f"ClientError: Artifact upload failed: {error}")
        else:
            logger.error("training job %s", name, exc_info=error)
            self._fail(name, f"InternalServerError: {error}")

    def _steps(self, name: str, folder: contract.JobFolder, stop: threading.Event) -> None:
        self._check(stop)
        job = self._enter(name, "Downloading", start=True)
        contract.prepare(folder, job)
        region = job["TrainingJobArn"].split(":")[3]
        for channel in job.get("InputDataConfig", []):
            target = folder.channel(channel["ChannelName"])
            download_channel(self._files, channel, target, job["RoleArn"], region, lambda: self._check(stop))
        self._check(stop)
        self._enter(name, "Training")
        outcome, code = self._train(job, folder, stop)
        if outcome == "Completed" and code != 0:
            self._upload_output(job, folder)
            self._fail(name, contract.failure_reason(folder, code))
            return
        self._enter(name, "Uploading")
        self._upload_output(job, folder)
        artifact = self._upload_model(job, folder)
        self._enter(name, outcome, artifact=artifact)

    def _train(self, job: Document, folder: contract.JobFolder, stop: threading.Event) -> tuple[str, int]:
        """Run the process; return the secondary status that its end means, and its exit code."""
        name = job["TrainingJobName"]
        stream = f"{name}/{contract.HOST}-{epoch(self._clock.now())}"
        log = LogStream(self._aws.client("logs"), LOG_GROUP, stream, self._settings.log_interval)
        metrics = MetricReader(job["AlgorithmSpecification"].get("MetricDefinitions", []))

        def on_line(line: str) -> None:
            metrics.read(line, self._clock.now())
            log.write(line)

        image = job["AlgorithmSpecification"]["TrainingImage"]
        log.write(f"Local SageMaker: image {image} is recorded, not pulled; {self._python} runs the script")
        process = Supervised(
            self._python,
            contract.command(self._python),
            env=contract.environment(folder, job, self._python, self._aws.endpoint_url),
            cwd=folder.code,
            grace=self._settings.stop_grace,
            on_line=on_line,
        )
        try:
            result = self._watch(process, state.deadline(job, DEFAULT_RUNTIME), stop)
        finally:
            process.kill()
            process.wait()
            log.close()
        self._store.update(TRAINING_JOB, name, lambda d: d.update(FinalMetricDataList=metrics.final()))
        return result

    def _watch(self, process: Supervised, deadline: datetime, stop: threading.Event) -> tuple[str, int]:
        outcome = "Completed"
        while (code := process.wait(_POLL)) is None:
            if self._closing.is_set():
                raise ServerClosing
            if outcome == "Completed" and stop.is_set():
                outcome = "Stopped"
                process.terminate()
            if outcome == "Completed" and self._clock.now() >= deadline:
                outcome = "MaxRuntimeExceeded"
                process.terminate()
        return outcome, code

    def _check(self, stop: threading.Event) -> None:
        if self._closing.is_set():
            raise ServerClosing
        if stop.is_set():
            raise _Stopped

    def _upload_model(self, job: Document, folder: contract.JobFolder) -> str | None:
        archive = folder.root / "model.tar.gz"
        if not pack(folder.model, archive):
            return None
        target = _output_uri(job).child("model.tar.gz")
        self._files.upload(archive, target)
        return str(target)

    def _upload_output(self, job: Document, folder: contract.JobFolder) -> None:
        archive = folder.root / "output.tar.gz"
        if pack(folder.output_data, archive):
            self._files.upload(archive, _output_uri(job).child("output.tar.gz"))

    def _enter(
        self, name: str, secondary: str, *, start: bool = False, artifact: str | None = None
    ) -> Document:
        now = self._clock.now()

        def change(job: Document) -> None:
            if start:
                state.start_clock(job, now)
            if artifact is not None:
                job["ModelArtifacts"] = {"S3ModelArtifacts": artifact}
            # a stop that came a moment ago is not taken back
            if job["TrainingJobStatus"] != "Stopping" or secondary not in ("Downloading", "Training"):
                state.enter(job, secondary, now)

        job = self._store.update(TRAINING_JOB, name, change)
        if job is None:
            raise RuntimeError(f"training job {name} is not in the store")
        return job

    def _fail(self, name: str, reason: str) -> None:
        now = self._clock.now()
        self._store.update(TRAINING_JOB, name, lambda job: state.fail(job, reason, now))


def _output_uri(job: Document) -> S3Uri:
    return S3Uri.parse(job["OutputDataConfig"]["S3OutputPath"]).child(job["TrainingJobName"], "output")

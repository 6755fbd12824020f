"""One endpoint for a laptop: MTurk, SageMaker and the AWS services that the pipelines use.

``python -m localcloud --port 4566 --state DIR [--crowd FILE]`` serves, on one loopback port,

* MTurk and the annotators' site (`workforce`), in process, on ``DIR/workforce.db``;
* SageMaker training and endpoints (`localcloud.sagemaker`), in process;
* S3, IAM, STS, Logs, CloudWatch, SQS, Cognito and whatever else the emulator has, in a
  subprocess that the front passes requests on to.

What survives, on the same ``--state``:

* SIGTERM, SIGINT, ``kill -9`` of the front: everything that was acknowledged, except S3 multipart
  uploads that were not completed. The emulator notices that its parent is gone, saves and leaves; the
  next start waits for that.
* ``kill -9`` of all processes at once: HITs, answers and money (SQLite), and S3 objects, all up to
  the last acknowledged call; the emulator's other state (buckets without objects, bucket settings,
  IAM, Logs, CloudWatch, SQS, Cognito) as it was half a second before, or, when it is large, before
  ten times the time that saving it takes.
* A loss of power: what the operating system had written by then; the emulator does not force its files
  to disk.
"""

from __future__ import annotations

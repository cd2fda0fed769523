"""A consumer of an agent's queue that lets a program do the work: ``python infra/queue_agent.py --stack S --agent A -- PROGRAM ...``

The program is a command agent, as on a laptop: it gets the envelope on standard input and as the file ``$ORCHESTRATOR_ENVELOPE``,
writes its output as JSON to ``$ORCHESTRATOR_OUTPUT``, and exits with 0 for success, 75 for a failure that may pass, anything else for
a failure. What it saves in ``$ORCHESTRATOR_CHECKPOINT_DIR`` goes to the bucket, and the next attempt finds it there: see
``checkpoints.py``, which belongs beside this file. Run it where the program should run, as often as you like; it works on one task at a time.

It needs what the policy of ``agent.yaml`` grants, ``cloudformation:DescribeStacks`` to find the queues, and boto3.

In an image for AWS Batch it does the one task of its job: ``python queue_agent.py --job -- PROGRAM`` as the command of the job
definition. Everything it needs is in the environment of the job and in the role of ``batch.yaml``.
"""

import argparse
import functools
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading

import boto3
from botocore.exceptions import ClientError

from checkpoints import Checkpoints

# Seconds a message stays hidden, and after how many of them that is renewed, for as long as the program works.
HIDDEN_SECONDS = 120
RENEWED_SECONDS = 40

# Seconds one request waits for a message.
WAIT_SECONDS = 20

TRANSIENT = 75


class Agent:
    """The consumer of one queue."""

    def __init__(self, tasks: str, task_events: str, bucket: str, command: list, session=None, **options):
        session = session or boto3.Session()
        self.sqs = session.client("sqs", **options)
        self.s3 = session.client("s3", **options)
        self.tasks = tasks
        self.task_events = task_events
        self.bucket = bucket
        self.command = command

    def serve_one(self, wait_seconds: int = WAIT_SECONDS) -> bool:
        """Waits for a task and does it. False if there was none."""
        answer = self.sqs.receive_message(
            QueueUrl=self.tasks, WaitTimeSeconds=wait_seconds, VisibilityTimeout=HIDDEN_SECONDS
        )
        for message in answer.get("Messages", []):
            receipt = message["ReceiptHandle"]
            finished = threading.Event()
            renewal = threading.Thread(target=self.keep_hidden, args=(receipt, finished), daemon=True)
            renewal.start()
            try:
                self.do(self.envelope(message["Body"]))
            finally:
                finished.set()
                renewal.join()
            # Only now: a task whose consumer died is handed out again, and its report then counts once.
            self.sqs.delete_message(QueueUrl=self.tasks, ReceiptHandle=receipt)
            return True
        return False

    def keep_hidden(self, receipt: str, finished: threading.Event) -> None:
        """Keeps the message from being handed to somebody else."""
        while not finished.wait(RENEWED_SECONDS):
            self.sqs.change_message_visibility(
                QueueUrl=self.tasks, ReceiptHandle=receipt, VisibilityTimeout=HIDDEN_SECONDS
            )

    def envelope(self, body: str) -> dict:
        """The task; from the bucket if it was too large for a message."""
        value = json.loads(body)
        if "payload" not in value:
            return value
        place = value["payload"]
        return json.load(self.s3.get_object(Bucket=place["bucket"], Key=place["key"])["Body"])

    def do(self, envelope: dict) -> None:
        """Lets the program do the task and reports what became of it."""
        self.report(envelope, type="TASK_STARTED")
        with tempfile.TemporaryDirectory(prefix="task-") as folder:
            given, output = pathlib.Path(folder, "envelope.json"), pathlib.Path(folder, "output.json")
            say = functools.partial(self.report, envelope)
            checkpoints = Checkpoints(self.s3, self.bucket, envelope, pathlib.Path(folder, "checkpoints"), say)
            try:
                given.write_text(json.dumps(checkpoints.restore()))
            except ClientError as error:
                self.fail(envelope, "transient", f"the checkpoint cannot be restored: {error}", None)
                return
            environment = {
                **os.environ,
                "ORCHESTRATOR_ENVELOPE": str(given),
                "ORCHESTRATOR_OUTPUT": str(output),
                "ORCHESTRATOR_CHECKPOINT_DIR": str(checkpoints.directory),
                "ORCHESTRATOR_RUN_ID": envelope["run_id"],
                "ORCHESTRATOR_TASK_ID": envelope["task_id"],
                "ORCHESTRATOR_ATTEMPT": str(envelope["attempt"]),
                "TRACEPARENT": envelope.get("traceparent") or "",
                "TRACESTATE": envelope.get("tracestate") or "",
                "BAGGAGE": envelope.get("baggage") or "",
            }
            watching = checkpoints.watch()
            try:
                with given.open("rb") as stdin:
                    code = run(self.command, envelope.get("timeout_seconds"), env=environment, cwd=folder, stdin=stdin)
                checkpoints.finish(watching, well=code == 0)
                result = json.loads(output.read_text()) if output.exists() else None
            except subprocess.TimeoutExpired:
                # The orchestrator counts the time itself and has given up on this attempt.
                checkpoints.over.set()
                return
            except (OSError, ValueError) as error:
                checkpoints.over.set()
                self.fail(envelope, "error", f"the program did not do its work: {error}", None)
                return
        if code == 0:
            self.report(envelope, type="TASK_SUCCESS", output=result)
        else:
            kind = "transient" if code == TRANSIENT else "error"
            self.fail(envelope, kind, f"the program ended with exit code {code}", code)

    def fail(self, envelope: dict, kind: str, message: str, code) -> None:
        """Reports a failure."""
        error = {"class": kind, "message": message, **({} if code is None else {"exit_code": code})}
        self.report(envelope, type="TASK_FAILURE", error=error)

    def report(self, envelope: dict, **said) -> None:
        """Sends a report; in order, because reports of a run are one group."""
        known = {key: envelope[key] for key in ("run_id", "task_id", "epoch", "attempt", "token")}
        body = json.dumps({**known, **said}, sort_keys=True)
        self.sqs.send_message(
            QueueUrl=self.task_events,
            MessageBody=body,
            MessageGroupId=envelope["run_id"],
            MessageDeduplicationId=hashlib.sha256(body.encode()).hexdigest(),
        )


def run(command: list, timeout_seconds, **options) -> int:
    """Runs a program to its end and returns its exit code. Whatever it has started ends with it, or with its time."""
    with subprocess.Popen(command, start_new_session=True, **options) as program:
        try:
            return program.wait(timeout_seconds)
        finally:
            try:
                os.killpg(program.pid, signal.SIGKILL)
            except ProcessLookupError:
                # It left nothing behind.
                pass


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Lets a program do the tasks of an agent's queue.")
    parser.add_argument("--stack", help="the stack of infra/template.yaml")
    parser.add_argument("--agent", help="the agent whose tasks are to be done")
    parser.add_argument("--job", action="store_true", help="do the task of this AWS Batch job, and no other")
    parser.add_argument("command", nargs="+", metavar="PROGRAM")
    options = parser.parse_args()
    if options.job:
        variables = (os.environ[f"ORCHESTRATOR_{name}"] for name in ("TASK_EVENTS_QUEUE", "BUCKET", "INPUT"))
        task_events, bucket, given = variables
        agent = Agent("", task_events, bucket, options.command)
        agent.do(agent.envelope(given))
        return
    if not options.stack or not options.agent:
        parser.error("give --stack and --agent, or --job")
    stacks = boto3.client("cloudformation").describe_stacks(StackName=options.stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    tasks = boto3.client("sqs").get_queue_url(QueueName=f"{options.stack}-tasks-{options.agent}")["QueueUrl"]
    agent = Agent(tasks, outputs["TaskEventsQueueUrl"], outputs["BucketName"], options.command)
    print(f"working on {tasks}", file=sys.stderr)
    while True:
        agent.serve_one()


if __name__ == "__main__":
    main()

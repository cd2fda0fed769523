"""One job of the stand-in for AWS Batch, from submission to its end.

A job walks SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, then SUCCEEDED or FAILED; a retried attempt goes back to
RUNNABLE. Every step is published as the event ``Batch Job State Change``. What an attempt does is said by variables in the
container's environment, from the job definition or the submission:

=============================  =====================================================================================
``EMULATOR_RUN=1``             the container's command is run as a program of this machine
``EMULATOR_EXIT_CODE=N``       without a command: the exit code (default 0)
``EMULATOR_STEP_MS=N``         milliseconds in STARTING and, without a command, in RUNNING (default 2)
``EMULATOR_HANG=1``            stays RUNNING until terminated or timed out
``EMULATOR_HOST_TERMINATED=N`` the first N attempts lose their host, as when a spot instance is taken back
=============================  =====================================================================================
"""

import contextvars
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from ministack.core.responses import get_account_id
from ministack.services import eventbridge

EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
LOST = "Host EC2 (instance i-0123456789abcdef0) terminated."
NOT_STARTED = "Task failed to start"

# Exit code of a container that was killed.
KILLED = 137

# Between SIGTERM and SIGKILL; 30 s on AWS.
GRACE_SECONDS = 1.0

ENDED = ("SUCCEEDED", "FAILED")

_programs: set[subprocess.Popen] = set()


def now_ms() -> int:
    """Milliseconds since 1970, as in all times of Batch."""
    return int(time.time() * 1000)


def kill_all() -> None:
    """Kills the programs of all jobs: for the end of the emulator."""
    for program in list(_programs):
        _signal(program, signal.SIGKILL)


def _signal(program: subprocess.Popen, number: int) -> None:
    try:
        os.killpg(program.pid, number)
    except ProcessLookupError:
        pass


class Job:
    """A job: the ``record`` that DescribeJobs shows, and what runs it.

    ``record`` must have all keys of a submitted job; ``environment`` is the container's, as a dict.
    """

    def __init__(self, record: dict, environment: dict, priority: int):
        self.record = record
        self.environment = environment
        self.priority = priority
        # Who submitted it: events and queues belong to an account and a region.
        self.context = contextvars.copy_context()
        self._lock = threading.RLock()
        self._stop_reason = None

    @property
    def ended(self) -> bool:
        return self.record["status"] in ENDED

    def advance(self, status: str, **changes) -> bool:
        """Moves to a status and publishes it. False, and nothing is done, if the job has ended."""
        with self._lock:
            if self.ended:
                return False
            self.record.update(status=status, **changes)
            self.context.copy().run(_publish, dict(self.record))
            return True

    def stop(self, reason: str, running_too: bool) -> None:
        """Cancels (jobs that do not run yet) or terminates (all)."""
        with self._lock:
            waits = self.record["status"] in ("SUBMITTED", "PENDING", "RUNNABLE")
            if waits:
                self.advance("FAILED", statusReason=reason, stoppedAt=now_ms(), isTerminated=running_too)
                self.record["isCancelled"] = not running_too
            elif running_too and not self.ended:
                self.record["isTerminated"] = True
                self._stop_reason = reason

    def run(self) -> None:
        """All attempts of this job, in the thread of a slot."""
        attempts = self.record["retryStrategy"]["attempts"]
        for number in range(1, attempts + 1):
            started = now_ms()
            if not self.advance("STARTING"):
                return
            self._wait(self._step_seconds)
            self.advance("RUNNING", startedAt=started)
            code, reason, detail = self._attempt(number)
            stopped = now_ms()
            container = {**({"exitCode": code} if code is not None else {}), **({"reason": detail} if detail else {})}
            attempt = {"container": container, "statusReason": reason, "startedAt": started, "stoppedAt": stopped}
            self.record["attempts"] = [*self.record["attempts"], attempt]
            self.record["container"] = {**self.record["container"], **container}
            final = number == attempts or self._stop_reason is not None or reason == TIMED_OUT
            if code == 0 or final or not self._is_retried(code, reason, detail):
                status = "SUCCEEDED" if code == 0 else "FAILED"
                self.advance(status, statusReason=reason, stoppedAt=stopped)
                return
            self.advance("RUNNABLE", statusReason=reason)

    @property
    def _step_seconds(self) -> float:
        return int(self.environment.get("EMULATOR_STEP_MS", "2")) / 1000

    def _attempt(self, number: int) -> tuple:
        """Exit code (none without a container), status reason, the container's reason."""
        deadline = time.monotonic() + self.record["timeout"]["attemptDurationSeconds"]
        if number <= int(self.environment.get("EMULATOR_HOST_TERMINATED", "0")):
            return None, LOST, None
        if self.environment.get("EMULATOR_HANG") == "1":
            self._wait(deadline - time.monotonic())
            return KILLED, self._stop_reason or TIMED_OUT, None
        if self.environment.get("EMULATOR_RUN") == "1":
            return self._command(number, deadline)
        self._wait(self._step_seconds)
        if self._stop_reason is not None:
            return KILLED, self._stop_reason, None
        return int(self.environment.get("EMULATOR_EXIT_CODE", "0")), EXITED, None

    def _wait(self, seconds: float) -> None:
        """Waits, or until the job is stopped."""
        until = time.monotonic() + seconds
        while self._stop_reason is None and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.01))

    def _command(self, number: int, deadline: float) -> tuple:
        folder = tempfile.mkdtemp(prefix="job-")
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": self.context.run(get_account_id),
            "AWS_SECRET_ACCESS_KEY": "test",
            **self.environment,
            "AWS_BATCH_JOB_ID": self.record["jobId"],
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": self.record["jobQueue"].rsplit("/", 1)[-1],
        }
        with open(os.path.join(folder, "output.log"), "wb") as log:
            try:
                program = subprocess.Popen(
                    self.record["container"]["command"],
                    env=environment,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                return None, NOT_STARTED, f"CannotStartContainerError: {error}"
        _programs.add(program)
        try:
            reason = self._watch(program, deadline)
        finally:
            # What the command left running ends with its container.
            _signal(program, signal.SIGKILL)
            _programs.discard(program)
        code = program.returncode
        return (code if code >= 0 else 128 - code), reason, None

    def _watch(self, program: subprocess.Popen, deadline: float) -> str:
        while program.poll() is None:
            if self._stop_reason is not None or time.monotonic() > deadline:
                _signal(program, signal.SIGTERM)
                try:
                    program.wait(GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    _signal(program, signal.SIGKILL)
                    program.wait()
                # A container that ends well after SIGTERM was stopped all the same.
                program.returncode = program.returncode or KILLED
                return self._stop_reason or TIMED_OUT
            time.sleep(0.005)
        return EXITED

    def _is_retried(self, code, reason, detail) -> bool:
        """The first rule of ``evaluateOnExit`` whose conditions all hold decides; without one the job is retried."""
        seen = {"onExitCode": "" if code is None else str(code), "onStatusReason": reason, "onReason": detail or ""}
        for rule in self.record["retryStrategy"].get("evaluateOnExit") or []:
            if all(matches(rule[name], text) for name, text in seen.items() if name in rule):
                return rule["action"].upper() == "RETRY"
        return True


def matches(pattern: str, text: str) -> bool:
    """Patterns of Batch: the whole text, or its beginning if the pattern ends in an asterisk."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def _publish(record: dict) -> None:
    event = {
        "Source": "aws.batch",
        "DetailType": "Batch Job State Change",
        "Resources": [record["jobArn"]],
        "Detail": json.dumps(record),
    }
    try:
        eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)
    except Exception as error:  # whatever a rule's target raises must not end the job
        print(f"error: event of job {record['jobId']} not published: {error}", file=sys.stderr, flush=True)

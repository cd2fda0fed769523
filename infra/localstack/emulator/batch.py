"""SubmitJob and what can be done with jobs afterwards: a stand-in for AWS Batch.

Jobs wait in RUNNABLE for one of a fixed number of slots, which all queues share: the highest scheduling priority first,
then the oldest. Compute environments, fair shares between identifiers, dependencies, array and multi-node jobs are not
imitated; the last three are refused.
"""

import itertools
import json
import queue
import re
import threading

from emulator import batch_resources
from emulator.batch_job import Job, now_ms
from emulator.batch_resources import name_of, refused
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import batch

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
PAYLOAD_BYTES_MAX = 30 * 1024
FOREVER_SECONDS = 14 * 86400
PAGE_MAX = 100

# Jobs are kept for the life of the emulator; this many are enough for any test.
JOBS_MAX = 100_000

_jobs: dict[str, Job] = {}
_waiting: queue.PriorityQueue = queue.PriorityQueue()
_order = itertools.count()


def install(slots: int) -> None:
    """Replaces MiniStack's job operations and opens the slots."""
    batch._DISPATCH.update(
        {
            "/v1/submitjob": submit,
            "/v1/describejobs": describe,
            "/v1/listjobs": list_jobs,
            "/v1/terminatejob": lambda request: _stop(request, running_too=True),
            "/v1/canceljob": lambda request: _stop(request, running_too=False),
        }
    )
    for _ in range(slots):
        threading.Thread(target=_slot, daemon=True).start()


def _slot() -> None:
    while True:
        _, _, job = _waiting.get()
        job.run()


def submit(request: dict):
    """SubmitJob."""
    definition = batch_resources.find_definition(request.get("jobDefinition"))
    target = batch._job_queues.get(name_of(request.get("jobQueue")))
    problem = _problem(request, definition, target)
    if problem:
        return refused(problem)
    job = _new_job(request, definition, target)
    _jobs[job.record["jobId"]] = job
    for status in ("SUBMITTED", "PENDING", "RUNNABLE"):
        job.advance(status)
    _waiting.put((-job.priority, next(_order), job))
    return batch._json(200, {key: job.record[key] for key in ("jobId", "jobName", "jobArn")})


def _problem(request: dict, definition: dict | None, target: dict | None) -> str | None:
    """Why Batch would refuse this."""
    name = request.get("jobName") or ""
    retries = request.get("retryStrategy") or {}
    seconds = (request.get("timeout") or {}).get("attemptDurationSeconds", FOREVER_SECONDS)
    override = request.get("schedulingPriorityOverride")
    shared = bool((target or {}).get("schedulingPolicyArn"))
    checks = (
        (NAME.fullmatch(name), f"jobName '{name}' is not valid"),
        (target is not None, f"JobQueue {request.get('jobQueue')} not found"),
        (target is None or target["state"] == "ENABLED", f"JobQueue {request.get('jobQueue')} is disabled"),
        (definition is not None, f"JobDefinition {request.get('jobDefinition')} not found"),
        (len(json.dumps(request)) <= PAYLOAD_BYTES_MAX, "Payload size exceeds 30 KiB"),
        (1 <= retries.get("attempts", 1) <= 10, "retryStrategy.attempts must be from 1 to 10"),
        (seconds >= 60, "timeout.attemptDurationSeconds must be at least 60"),
        (override is None or 0 <= override <= 9999, "schedulingPriorityOverride must be from 0 to 9999"),
        (shared or not request.get("shareIdentifier"), "shareIdentifier given, but the queue has no scheduling policy"),
        (not shared or request.get("shareIdentifier"), "shareIdentifier is needed: the queue has a scheduling policy"),
        (not request.get("arrayProperties"), "array jobs are not imitated"),
        (not request.get("dependsOn"), "dependencies are not imitated"),
        (not request.get("nodeOverrides"), "multi-node jobs are not imitated"),
        (len(_jobs) < JOBS_MAX, "too many jobs for this emulator; start another one"),
    )
    return next((message for holds, message in checks if not holds), None)


def _new_job(request: dict, definition: dict, target: dict) -> Job:
    overrides = request.get("containerOverrides") or {}
    container = definition.get("containerProperties") or {}
    environment = {
        entry["name"]: entry.get("value", "")
        for entry in (container.get("environment") or []) + (overrides.get("environment") or [])
    }
    parameters = {**(definition.get("parameters") or {}), **(request.get("parameters") or {})}
    command = overrides.get("command") or container.get("command") or []
    job_id = new_uuid()
    default = definition.get("schedulingPriority") or 0
    override = request.get("schedulingPriorityOverride")
    priority = default if override is None else override
    record = {
        "jobArn": f"arn:aws:batch:{get_region()}:{get_account_id()}:job/{job_id}",
        "jobName": request["jobName"],
        "jobId": job_id,
        "jobQueue": target["jobQueueArn"],
        "status": "SUBMITTED",
        "schedulingPriority": priority,
        "attempts": [],
        "createdAt": now_ms(),
        "retryStrategy": {"attempts": 1, **(request.get("retryStrategy") or definition.get("retryStrategy") or {})},
        "timeout": request.get("timeout")
        or definition.get("timeout")
        or {"attemptDurationSeconds": FOREVER_SECONDS},
        "dependsOn": [],
        "jobDefinition": definition["jobDefinitionArn"],
        "parameters": parameters,
        "container": {
            "image": container.get("image", ""),
            "command": [_filled_in(word, parameters) for word in command],
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
            "resourceRequirements": overrides.get("resourceRequirements")
            or container.get("resourceRequirements")
            or [],
        },
        "tags": request.get("tags") or {},
        "platformCapabilities": definition.get("platformCapabilities") or ["EC2"],
        "eksAttempts": [],
    }
    if request.get("shareIdentifier"):
        record["shareIdentifier"] = request["shareIdentifier"]
    return Job(record, environment, priority)


def _filled_in(word: str, parameters: dict) -> str:
    """``Ref::name`` in a command stands for a parameter."""
    return re.sub(r"Ref::([A-Za-z0-9_-]+)", lambda m: parameters.get(m.group(1), m.group(0)), word)


def _of_caller() -> list[Job]:
    """The caller's jobs, newest first, as Batch lists them."""
    scope = f":{get_region()}:{get_account_id()}:"
    return [job for job in reversed(list(_jobs.values())) if scope in job.record["jobArn"]]


def describe(request: dict):
    """DescribeJobs."""
    wanted = set(request.get("jobs") or [])
    found = [job.record for job in _of_caller() if job.record["jobId"] in wanted or job.record["jobArn"] in wanted]
    return batch._json(200, {"jobs": found})


def list_jobs(request: dict):
    """ListJobs: by status (RUNNING if none is named), or by one filter, which makes the status irrelevant."""
    target = batch._job_queues.get(name_of(request.get("jobQueue")))
    if target is None:
        return refused(f"JobQueue {request.get('jobQueue')} not found")
    jobs = [job.record for job in _of_caller() if job.record["jobQueue"] == target["jobQueueArn"]]
    filters = request.get("filters") or []
    if filters:
        if len(filters) > 1 or filters[0].get("name") not in FILTERS:
            return refused("exactly one filter may be given")
        test, values = FILTERS[filters[0]["name"]], filters[0].get("values") or []
        jobs = [record for record in jobs if any(test(record, value) for value in values)]
    else:
        jobs = [record for record in jobs if record["status"] == (request.get("jobStatus") or "RUNNING")]
    start = int(request.get("nextToken") or 0)
    end = start + min(request.get("maxResults") or PAGE_MAX, PAGE_MAX)
    shown = ("jobArn", "jobId", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt")
    answer = {"jobSummaryList": [{k: r[k] for k in shown if k in r} for r in jobs[start:end]]}
    if end < len(jobs):
        answer["nextToken"] = str(end)
    return batch._json(200, answer)


def _is_named(record: dict, pattern: str) -> bool:
    name, pattern = record["jobName"].lower(), pattern.lower()
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


FILTERS = {
    "JOB_NAME": _is_named,
    "JOB_DEFINITION": lambda record, value: name_of(record["jobDefinition"]).partition(":")[0] == value
    or record["jobDefinition"] == value,
    "BEFORE_CREATED_AT": lambda record, value: record["createdAt"] < int(value),
    "AFTER_CREATED_AT": lambda record, value: record["createdAt"] > int(value),
}


def _stop(request: dict, running_too: bool):
    if not request.get("jobId") or not request.get("reason"):
        return refused("jobId and reason are needed")
    for job in _of_caller():
        if job.record["jobId"] == request["jobId"]:
            job.stop(request["reason"], running_too)
    return batch._json(200, {})

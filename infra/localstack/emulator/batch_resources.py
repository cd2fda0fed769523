"""Queues, job definitions and scheduling policies of AWS Batch, with what MiniStack does not keep."""

import json

from ministack.core.responses import AccountRegionScopedDict, error_response_json, get_account_id, get_region
from ministack.services import batch

policies = AccountRegionScopedDict()


def install() -> None:
    """Adds and replaces operations of MiniStack's Batch."""
    batch._DISPATCH.update(
        {
            "/v1/createjobqueue": create_queue,
            "/v1/updatejobqueue": update_queue,
            "/v1/deletejobqueue": lambda p: _delete(batch._job_queues, p.get("jobQueue")),
            "/v1/deletecomputeenvironment": lambda p: _delete(batch._compute_envs, p.get("computeEnvironment")),
            "/v1/registerjobdefinition": register_definition,
            "/v1/deregisterjobdefinition": deregister_definition,
            "/v1/createschedulingpolicy": create_policy,
            "/v1/describeschedulingpolicies": describe_policies,
            "/v1/deleteschedulingpolicy": lambda p: _delete(policies, p.get("arn")),
        }
    )


def refused(message: str):
    """The answer to a request that Batch refuses."""
    return error_response_json("ClientException", message, 400)


def name_of(reference: str) -> str:
    """The name in an ARN, or the name itself."""
    return (reference or "").rsplit("/", 1)[-1]


def _delete(resources, reference):
    resources.pop(name_of(reference), None)
    return batch._json(200, {})


def create_queue(request: dict):
    """CreateJobQueue, which keeps the scheduling policy."""
    answer = batch._create_job_queue(request)
    if answer[0] == 200 and request.get("schedulingPolicyArn"):
        batch._job_queues[request["jobQueueName"]]["schedulingPolicyArn"] = request["schedulingPolicyArn"]
    return answer


def update_queue(request: dict):
    """UpdateJobQueue."""
    queue = batch._job_queues.get(name_of(request.get("jobQueue")))
    if queue is None:
        return refused(f"{request.get('jobQueue')} does not exist")
    changes = ("state", "priority", "computeEnvironmentOrder", "schedulingPolicyArn")
    queue.update({key: request[key] for key in changes if key in request})
    return batch._json(200, {"jobQueueName": queue["jobQueueName"], "jobQueueArn": queue["jobQueueArn"]})


def register_definition(request: dict):
    """RegisterJobDefinition, which keeps retries, time-out, priority and parameters."""
    answer = batch._register_job_definition(request)
    if answer[0] == 200:
        definition = batch._job_definitions[request["jobDefinitionName"]][-1]
        kept = ("retryStrategy", "timeout", "schedulingPriority", "parameters", "platformCapabilities", "propagateTags")
        definition.update({key: request[key] for key in kept if key in request})
    return answer


def find_definition(reference: str) -> dict | None:
    """The active definition that a name, a name with a revision, or an ARN means."""
    name, _, revision = name_of(reference).partition(":")
    active = [d for d in batch._job_definitions.get(name) or [] if d["status"] == "ACTIVE"]
    if revision:
        active = [d for d in active if str(d["revision"]) == revision]
    return active[-1] if active else None


def deregister_definition(request: dict):
    """DeregisterJobDefinition."""
    definition = find_definition(request.get("jobDefinition"))
    if definition is not None:
        definition["status"] = "INACTIVE"
    return batch._json(200, {})


def create_policy(request: dict):
    """CreateSchedulingPolicy."""
    name = request.get("name")
    if not name or name in policies:
        return refused(f"scheduling policy '{name}' exists already, or has no name")
    arn = f"arn:aws:batch:{get_region()}:{get_account_id()}:scheduling-policy/{name}"
    policies[name] = {"name": name, "arn": arn, **{k: request[k] for k in ("fairsharePolicy", "tags") if k in request}}
    return batch._json(200, {"name": name, "arn": arn})


def describe_policies(request: dict):
    """DescribeSchedulingPolicies."""
    found = [policies.get(name_of(arn)) for arn in request.get("arns") or []]
    return batch._json(200, {"schedulingPolicies": json.loads(json.dumps([p for p in found if p]))})

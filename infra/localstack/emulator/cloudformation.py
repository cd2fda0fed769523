"""Resource types of the template that MiniStack's CloudFormation does not know."""

import json

from emulator import batch_resources
from ministack.core.responses import get_account_id, get_region
from ministack.services import batch
from ministack.services.cloudformation import provisioners

# Below these keys, names are the template's own and keep their case.
FREE_FORM = {"Tags", "Parameters", "Options"}


def install() -> None:
    """Registers the types."""
    names = ("computeEnvironmentName", "computeEnvironmentArn", "computeEnvironment")
    _register("ComputeEnvironment", batch._create_compute_environment, names, "deletecomputeenvironment")
    names = ("jobQueueName", "jobQueueArn", "jobQueue")
    _register("JobQueue", batch_resources.create_queue, names, "deletejobqueue")
    names = ("jobDefinitionName", "jobDefinitionArn", "jobDefinition")
    _register("JobDefinition", batch_resources.register_definition, names, "deregisterjobdefinition")
    _register("SchedulingPolicy", batch_resources.create_policy, ("name", "arn", "arn"), "deleteschedulingpolicy")
    provisioners._RESOURCE_HANDLERS["AWS::ElastiCache::ServerlessCache"] = {
        "create": _create_cache,
        "delete": lambda physical_id, properties: None,
    }


def _register(kind: str, create_operation, keys: tuple, delete_path: str) -> None:
    """A type of Batch whose reference is its ARN."""
    name_key, arn_key, reference_key = keys

    def create(logical_id, properties, stack):
        request = camel(properties)
        request.setdefault(name_key, f"{stack}-{logical_id}")
        status, _, body = create_operation(request)
        answer = json.loads(body)
        if status != 200:
            raise ValueError(f"{logical_id}: {answer.get('message')}")
        return answer[arn_key], {arn_key[:1].upper() + arn_key[1:]: answer[arn_key], "Arn": answer[arn_key]}

    def delete(physical_id, properties):
        batch._DISPATCH[f"/v1/{delete_path}"]({reference_key: physical_id})

    provisioners._RESOURCE_HANDLERS[f"AWS::Batch::{kind}"] = {"create": create, "delete": delete}


def camel(value):
    """The names of a template in the form of the API: ``JobRoleArn`` becomes ``jobRoleArn``."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key[:1].lower() + key[1:]: item if key in FREE_FORM else camel(item) for key, item in value.items()}


def _create_cache(logical_id, properties, stack):
    """Describes a serverless cache without starting one: tests of the cache bring their own server."""
    name = properties.get("ServerlessCacheName") or f"{stack}-{logical_id}".lower()
    arn = f"arn:aws:elasticache:{get_region()}:{get_account_id()}:serverlesscache:{name}"
    return name, {"ARN": arn, "Endpoint.Address": "127.0.0.1", "Endpoint.Port": "6379", "Status": "available"}

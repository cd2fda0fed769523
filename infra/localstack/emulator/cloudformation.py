"""Resource types and properties of the template that MiniStack's CloudFormation does not know."""

import json

from emulator import batch_resources
from ministack.core.responses import get_account_id, get_region
from ministack.services import batch, dynamodb
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
    _accept_expressions(provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"])
    _read_numbers(provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"])
    _set_time_to_live(provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"])
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


def _accept_expressions(alarm: dict) -> None:
    """Accepts alarms about expressions over several metrics, which never go off here."""
    create, delete = alarm["create"], alarm["delete"]

    def create_or_accept(logical_id, properties, stack):
        if "Metrics" not in properties:
            return create(logical_id, properties, stack)
        name = properties.get("AlarmName") or f"{stack}-{logical_id}"
        return name, {"Arn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}"}

    def delete_or_accept(physical_id, properties):
        if "Metrics" not in properties:
            delete(physical_id, properties)

    alarm.update(create=create_or_accept, delete=delete_or_accept)


def _read_numbers(mapping: dict) -> None:
    """Parameters of a template are texts, also those of type Number."""
    create = mapping["create"]

    def create_with_numbers(logical_id, properties, stack):
        scaling = properties.get("ScalingConfig")
        if scaling:
            properties = {**properties, "ScalingConfig": {key: int(value) for key, value in scaling.items()}}
        return create(logical_id, properties, stack)

    mapping["create"] = create_with_numbers


def _set_time_to_live(table: dict) -> None:
    create = table["create"]

    def create_with_time_to_live(logical_id, properties, stack):
        created = create(logical_id, properties, stack)
        specification = properties.get("TimeToLiveSpecification")
        if specification:
            dynamodb._update_ttl({"TableName": created[0], "TimeToLiveSpecification": specification})
        return created

    table["create"] = create_with_time_to_live


def _create_cache(logical_id, properties, stack):
    """Describes a serverless cache without starting one: tests of the cache bring their own server."""
    name = properties.get("ServerlessCacheName") or f"{stack}-{logical_id}".lower()
    arn = f"arn:aws:elasticache:{get_region()}:{get_account_id()}:serverlesscache:{name}"
    return name, {"ARN": arn, "Endpoint.Address": "127.0.0.1", "Endpoint.Port": "6379", "Status": "available"}

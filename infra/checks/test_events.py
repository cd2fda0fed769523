"""The sample events: right in themselves, complete, and obedient to the published schemas."""

import hashlib
import json
import re
import unittest

import jsonschema
import templates

EVENTS = templates.FOLDER.parent / "events"
OPENAPI = templates.FOLDER.parent / "docs" / "openapi.json"

# Which schemas a message on a queue may obey.
SCHEMAS = {
    "decisions": ("message", "reference"),
    "task-events.fifo": ("message", "agent-report", "reference"),
    "sweeps": ("sweep",),
    "translations": ("translation",),
    "tasks-training_agent": ("envelope", "reference"),
}

# Written to be refused.
POISON = ("this is no message", '{"run_id":"not-a-run","kind":"tick"}', '{"kind":"translate"}')


def samples():
    """Every sample: its path, its content."""
    for path in sorted(EVENTS.glob("*/*.json")):
        if path.parent.name != "schemas":
            yield path, json.loads(path.read_text())


def records():
    """Every SQS record of every sample: path, name of the queue, record."""
    for path, event in samples():
        for record in event.get("Records", []):
            yield path, record["eventSourceARN"].rsplit(":", 1)[1].removeprefix("orchestrator-dev-"), record


def routes_of(integration):
    """Keys of the routes that lead to an integration."""
    routes = templates.of_type(templates.load("template.yaml"), "AWS::ApiGatewayV2::Route").values()
    target = {"Fn::Sub": f"integrations/${{{integration}}}"}
    return {route["Properties"]["RouteKey"] for route in routes if route["Properties"]["Target"] == target}


class EventsTest(unittest.TestCase):
    def validator(self, name):
        schema = json.loads((EVENTS / "schemas" / f"{name}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        return jsonschema.Draft202012Validator(schema)

    def test_messages_obey_the_schema_of_their_queue_and_poison_does_not(self):
        seen = set()
        for path, queue, record in records():
            with self.subTest(path):
                body = record["body"]
                seen.add(queue)
                if body in POISON:
                    valid = body.startswith("{") and any(self.validator(s).is_valid(json.loads(body)) for s in SCHEMAS[queue])
                    self.assertFalse(valid)
                    continue
                valid = [schema for schema in SCHEMAS[queue] if self.validator(schema).is_valid(json.loads(body))]
                self.assertEqual(len(valid), 1, body)
        self.assertEqual(seen, set(SCHEMAS))

    def test_records_are_what_sqs_sends(self):
        for path, queue, record in records():
            with self.subTest(path):
                self.assertEqual(record["md5OfBody"], hashlib.md5(record["body"].encode()).hexdigest())
                self.assertEqual("MessageGroupId" in record["attributes"], queue.endswith(".fifo"))

    def test_every_operation_of_the_api_has_a_sample(self):
        published = json.loads(OPENAPI.read_text())
        operations = {
            re.sub("(?=[A-Z])", "_", operation["operationId"]).lower(): (method.upper(), path)
            for path, operations in published["paths"].items()
            for method, operation in operations.items()
            if "operationId" in operation
        }
        of_rollback = routes_of("RollbackIntegration")
        for name, (method, path) in operations.items():
            with self.subTest(name):
                folder = "rollback" if f"{method} {path}" in of_rollback else "intake"
                file = EVENTS / folder / f"{name}.json"
                event = json.loads(file.read_text())
                self.assertEqual(event["requestContext"]["http"]["method"], method)
                pattern = re.sub(r"{\w+}", "[^/]+", path)
                self.assertRegex(event["rawPath"], f"^{pattern}$")

    def test_requests_come_in_by_routes_of_the_template(self):
        routes = templates.of_type(templates.load("template.yaml"), "AWS::ApiGatewayV2::Route").values()
        known = {route["Properties"]["RouteKey"]: route["Properties"] for route in routes}
        explicit = set(known) - {"$default"}
        for path, event in samples():
            if "routeKey" not in event:
                continue
            with self.subTest(path):
                method, raw = event["requestContext"]["http"]["method"], event["rawPath"]
                patterns = {key: re.sub(r"{\w+}", "[^/]+", key.split()[1]) for key in explicit if key.split()[0] == method}
                expected = [key for key, pattern in patterns.items() if re.fullmatch(pattern, raw)] or ["$default"]
                self.assertEqual([event["routeKey"]], expected)
                has_identity = "authorizer" in event["requestContext"]
                self.assertEqual(has_identity, known[event["routeKey"]]["AuthorizationType"] != "NONE")
                self.assertEqual(event["requestContext"]["routeKey"], event["routeKey"])

    def test_events_match_the_pattern_of_the_rule(self):
        function = templates.load("template.yaml")["Resources"]["TaskEventsFunction"]["Properties"]
        pattern = function["Events"]["BatchStates"]["Properties"]["Pattern"]
        changes = [event for _, event in samples() if event.get("source") == "aws.batch"]
        self.assertGreater(len(changes), 5)
        for event in changes:
            self.assertIn(event["source"], pattern["source"])
            self.assertIn(event["detail-type"], pattern["detail-type"])
            self.assertIn(event["detail"]["status"], pattern["detail"]["status"])


if __name__ == "__main__":
    unittest.main()

"""The stack as a whole on the emulator, with a program in place of the functions that says what it was given."""

import json
import pathlib
import tempfile
import unittest
import urllib.error
import urllib.request

import deploy
import templates
from tests import running

# A function that speaks the runtime protocol: it answers requests with what it was given, and logs it.
BOOTSTRAP = """#!/usr/bin/env python3
import json, os, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as next:
        event, id = json.load(next), next.headers["Lambda-Runtime-Aws-Request-Id"]
    environment = {k: v for k, v in os.environ.items() if k.startswith(("ORCHESTRATOR_", "AWS_ENDPOINT"))}
    name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    print(json.dumps({"seen": event}), flush=True)
    body = json.dumps({"function": name, "route": event.get("routeKey"), "environment": environment, "event": event})
    answer = {"statusCode": 200, "body": body} if "routeKey" in event else {"batchItemFailures": []}
    urllib.request.urlopen(base + id + "/response", data=json.dumps(answer).encode()).close()
"""


class DeployTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = running.start()
        cls.addClassCleanup(running.stop, cls.emulator)
        endpoint = cls.emulator.endpoint
        names = ("sqs", "logs", "batch", "dynamodb", "events")
        cls.account, cls.sqs, cls.logs, cls.batch, cls.dynamodb, cls.events = running.account_and_clients(endpoint, *names)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.functions = pathlib.Path(folder.name)
        (cls.functions / "bootstrap").write_text(BOOTSTRAP)
        cls.outputs = deploy.deploy(endpoint, cls.functions, "s", cls.account)

    def ask(self, method, path, signed=True, api=None):
        url = f"{self.emulator.endpoint}/_aws/execute-api/{api or self.outputs['ApiId']}/$default{path}"
        request = urllib.request.Request(url, method=method, data=b"{}" if method == "POST" else None)
        if signed:
            credential = f"AWS4-HMAC-SHA256 Credential={self.account}/20260101/us-east-1/execute-api/aws4_request"
            request.add_header("Authorization", f"{credential}, SignedHeaders=host, Signature=0")
        try:
            with urllib.request.urlopen(request, timeout=running.PATIENCE_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def seen(self, function, text):
        """Waits until a function was given something with this text."""

        def look():
            events = self.logs.filter_log_events(logGroupName=f"/aws/lambda/s-{function}").get("events", [])
            return [event["message"] for event in events if text in event["message"]]

        return running.eventually(f"{function} sees {text}", look)

    def test_requests_reach_their_function_with_everything_it_needs(self):
        cases = (
            ("GET", "/healthz", False, "s-intake", "GET /healthz"),
            ("GET", "/runs/01J/tasks/a", True, "s-intake", "$default"),
            ("POST", "/runs/01J/tasks/a/events", False, "s-intake", "POST /runs/{run}/tasks/{task}/events"),
            ("GET", "/runs/01J/rollback", True, "s-intake", "$default"),
            ("POST", "/runs/01J/retry", True, "s-rollback", "POST /runs/{run}/retry"),
            ("POST", "/runs/01J/tasks/a/rerun", True, "s-rollback", "POST /runs/{run}/tasks/{task}/rerun"),
            ("POST", "/runs/01J/rollback", True, "s-rollback", "POST /runs/{run}/rollback"),
        )
        for method, path, signed, function, route in cases:
            with self.subTest(path):
                status, answer = self.ask(method, path, signed)
                self.assertEqual((status, answer["function"], answer["route"]), (200, function, route))
        environment = answer["environment"]
        self.assertEqual(environment["ORCHESTRATOR_TABLE"], self.outputs["TableName"])
        self.assertEqual(environment["ORCHESTRATOR_TASK_EVENTS_QUEUE"], self.outputs["TaskEventsQueueUrl"])
        agents = self.outputs["DecisionsQueueUrl"].replace("-decisions", "-tasks-")
        self.assertEqual(environment["ORCHESTRATOR_AGENT_QUEUES"], agents)
        self.assertEqual(environment["ORCHESTRATOR_BATCH"], self.outputs["BatchTargets"])
        self.assertEqual((environment["ORCHESTRATOR_CACHE"], environment["ORCHESTRATOR_CONFIG"]), ("", ""))
        claims = [environment[f"ORCHESTRATOR_{name}_CLAIM"] for name in ("CLIENT", "GROUPS")]
        self.assertEqual((environment["ORCHESTRATOR_STACK"], claims), ("s", ["sub", "groups"]))
        self.assertEqual(answer["event"]["requestContext"]["authorizer"]["iam"]["accountId"], self.account)

    def test_whoever_does_not_say_who_it_is_gets_nowhere(self):
        self.assertEqual(self.ask("GET", "/runs", signed=False)[0], 403)
        self.assertEqual(self.ask("POST", "/runs/01J/rollback", signed=False)[0], 403)

    def test_messages_reach_their_function(self):
        self.sqs.send_message(QueueUrl=self.outputs["DecisionsQueueUrl"], MessageBody='{"to": "decision"}')
        self.seen("decision", '{\\"to\\": \\"decision\\"}')
        self.sqs.send_message(
            QueueUrl=self.outputs["TaskEventsQueueUrl"],
            MessageBody='{"to": "task events"}',
            MessageGroupId="run",
            MessageDeduplicationId="1",
        )
        self.seen("task-events", '{\\"to\\": \\"task events\\"}')
        self.sqs.send_message(QueueUrl=self.outputs["SweepsQueueUrl"], MessageBody='{"to": "sweep"}')
        self.seen("sla-sweep", '{\\"to\\": \\"sweep\\"}')
        self.sqs.send_message(QueueUrl=self.outputs["TranslationsQueueUrl"], MessageBody='{"to": "translator"}')
        self.seen("translator", '{\\"to\\": \\"translator\\"}')

    def test_the_end_of_a_job_reaches_the_function_for_task_events(self):
        targets = json.loads(self.outputs["BatchTargets"])
        self.assertEqual(set(targets), {"cpu", "memory", "compute", "gpu"})
        for target in targets.values():
            job = self.batch.submit_job(
                jobName="a",
                jobQueue=target["queue"],
                jobDefinition=target["definition"],
                shareIdentifier="team",
            )
            self.seen("task-events", job["jobId"])

    def test_the_schedule_reaches_the_sweep(self):
        rules = [rule for rule in self.events.list_rules()["Rules"] if rule.get("ScheduleExpression")]
        self.assertEqual([rule["ScheduleExpression"] for rule in rules], ["rate(1 minute)"])

    def test_the_table_has_its_indexes_and_forgets_what_has_expired(self):
        table = self.dynamodb.describe_table(TableName=self.outputs["TableName"])["Table"]
        indexes = {index["IndexName"]: index["KeySchema"] for index in table["GlobalSecondaryIndexes"]}
        self.assertEqual({name: [key["AttributeName"] for key in keys] for name, keys in indexes.items()},
                         {"by_client": ["client", "PK"], "by_due": ["due_shard", "due_at"]})
        ttl = self.dynamodb.describe_time_to_live(TableName=self.outputs["TableName"])["TimeToLiveDescription"]
        self.assertEqual((ttl["AttributeName"], ttl["TimeToLiveStatus"]), ("ttl", "ENABLED"))

    def test_the_queue_of_an_agent_is_where_the_functions_look_for_it(self):
        (cloudformation,) = running.clients_of(self.account, self.emulator.endpoint, "cloudformation")
        values = {"Orchestrator": "s", "Agent": "report_agent"}
        cloudformation.create_stack(
            StackName="agent",
            TemplateBody=templates.to_json(templates.load("agent.yaml")),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName="agent", WaiterConfig={"Delay": 1})
        outputs = cloudformation.describe_stacks(StackName="agent")["Stacks"][0]["Outputs"]
        url = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "QueueUrl")
        environment = self.ask("GET", "/healthz")[1]["environment"]
        self.assertEqual(url, environment["ORCHESTRATOR_AGENT_QUEUES"] + "report_agent")

    def test_it_can_be_had_with_tokens_a_cache_and_protection_and_be_removed(self):
        account, cloudformation, sqs = running.account_and_clients(self.emulator.endpoint, "cloudformation", "sqs")
        chosen = {
            "Stage": "prod",
            "Authorizer": "JWT",
            "JwtIssuer": "https://issuer.example.com",
            "ClientClaim": "client_id",
            "GroupsClaim": "cognito:groups",
            "EnableCache": "true",
            "BatchAgents": "trainer,tester",
            "Operators": "admins",
            "Configuration": "config/orchestrator.yaml",
        }
        outputs = deploy.deploy(self.emulator.endpoint, self.functions, "t", account, chosen)
        self.assertEqual(self.ask("GET", "/runs", signed=False, api=outputs["ApiId"])[0], 401)
        status, answer = self.ask("GET", "/healthz", signed=False, api=outputs["ApiId"])
        self.assertEqual(status, 200)
        expected = {
            "ORCHESTRATOR_CACHE": "t-cache",
            "ORCHESTRATOR_CACHE_USER": "t-functions",
            "ORCHESTRATOR_BATCH_AGENTS": "trainer,tester",
            "ORCHESTRATOR_OPERATORS": "admins",
            "ORCHESTRATOR_CLIENT_CLAIM": "client_id",
            "ORCHESTRATOR_GROUPS_CLAIM": "cognito:groups",
            "ORCHESTRATOR_CONFIG": f"s3://{outputs['BucketName']}/config/orchestrator.yaml",
        }
        self.assertEqual({name: answer["environment"][name] for name in expected}, expected)
        cloudformation.delete_stack(StackName="t")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="t", WaiterConfig={"Delay": 1})
        self.assertEqual(sqs.list_queues().get("QueueUrls", []), [])


if __name__ == "__main__":
    unittest.main()

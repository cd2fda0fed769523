"""What has to hold between the parts of the stack, and for all of a kind."""

import json
import unittest

import templates

LAMBDA_VISIBILITY_FACTOR = 6


class TemplatesTest(unittest.TestCase):
    def all_of(self, *kinds):
        """Template, logical id and properties of each; a failure is reported by its type and id."""
        found = []
        for file in templates.NAMES:
            template = templates.load(file)
            for name, resource in templates.of_type(template, *kinds).items():
                found.append((template, name, resource.get("Properties", {})))
        self.assertNotEqual(found, [])
        return found

    def test_queues_are_encrypted_and_refuse_plain_http(self):
        for template, name, properties in self.all_of("AWS::SQS::Queue"):
            with self.subTest(name):
                self.assertIs(properties["SqsManagedSseEnabled"], True)
                self.assert_only_tls(template, "AWS::SQS::QueuePolicy", "Queues", name)

    def test_buckets_are_encrypted_closed_and_refuse_plain_http(self):
        for template, name, properties in self.all_of("AWS::S3::Bucket"):
            with self.subTest(name):
                self.assertIn("BucketEncryption", properties)
                self.assertEqual(set(properties["PublicAccessBlockConfiguration"].values()), {True})
                self.assert_only_tls(template, "AWS::S3::BucketPolicy", "Bucket", name)

    def assert_only_tls(self, template, kind, key, name):
        policies = templates.of_type(template, kind).values()
        mine = [policy for policy in policies if json.dumps({"Ref": name}) in json.dumps(policy["Properties"][key])]
        self.assertEqual(len(mine), 1)
        denials = [s for s in mine[0]["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        self.assertEqual(denials[0]["Condition"], {"Bool": {"aws:SecureTransport": "false"}})
        self.assertEqual(denials[0]["Principal"], "*")

    def test_every_queue_that_is_worked_on_gives_up_into_another_one(self):
        for template, name, properties in self.all_of("AWS::SQS::Queue"):
            with self.subTest(name):
                targets = json.dumps(template["Resources"])
                is_target = f'"deadLetterTargetArn": {json.dumps({"Fn::GetAtt": [name, "Arn"]})}' in targets
                is_of_failed_events = name == "EventsDlq"
                self.assertTrue("RedrivePolicy" in properties or is_target or is_of_failed_events)
                if "RedrivePolicy" in properties:
                    dlq = template["Resources"][properties["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
                    self.assertGreater(
                        dlq["Properties"]["MessageRetentionPeriod"] + 1, properties["MessageRetentionPeriod"]
                    )
                    self.assertEqual(dlq["Properties"].get("FifoQueue"), properties.get("FifoQueue"))

    def test_messages_stay_hidden_for_as_long_as_a_function_may_try(self):
        template = templates.load("template.yaml")
        for name, function in templates.of_type(template, "AWS::Serverless::Function").items():
            for event in function["Properties"].get("Events", {}).values():
                if event["Type"] != "SQS":
                    continue
                with self.subTest(name):
                    queue = template["Resources"][event["Properties"]["Queue"]["Fn::GetAtt"][0]]["Properties"]
                    needed = LAMBDA_VISIBILITY_FACTOR * function["Properties"]["Timeout"]
                    self.assertGreaterEqual(queue["VisibilityTimeout"], needed)
                    self.assertEqual(event["Properties"]["FunctionResponseTypes"], ["ReportBatchItemFailures"])

    def test_logs_are_not_kept_for_ever(self):
        for _, resource, properties in self.all_of("AWS::Logs::LogGroup"):
            with self.subTest(resource):
                self.assertEqual(properties["RetentionInDays"], {"Ref": "LogRetentionDays"})

    def test_every_function_writes_into_a_log_group_of_the_stack(self):
        for template, resource, properties in self.all_of("AWS::Serverless::Function"):
            with self.subTest(resource):
                group = template["Resources"][properties["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
                name = properties["FunctionName"]["Fn::Sub"]
                self.assertEqual(group["LogGroupName"]["Fn::Sub"], f"/aws/lambda/{name}")

    def test_the_same_word_names_binary_function_and_sample_events(self):
        for _, resource, properties in self.all_of("AWS::Serverless::Function"):
            with self.subTest(resource):
                binary = properties["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-").replace("-", "_")
                folder = templates.FOLDER.parent / "events" / binary
                self.assertTrue(list(folder.glob("*.json")), f"events/{binary} has no sample")
        for name, function in templates.of_type(templates.load("template.yaml"), "AWS::Serverless::Function").items():
            binary = function["Metadata"]["BuildProperties"]["Binary"]
            self.assertEqual(binary.replace("_", ""), name.removesuffix("Function").lower())

    def test_every_route_asks_who_is_there_except_those_that_are_explained(self):
        open_routes = set()
        for _, resource, properties in self.all_of("AWS::ApiGatewayV2::Route"):
            with self.subTest(resource):
                if properties["AuthorizationType"] == "NONE":
                    open_routes.add(properties["RouteKey"])
                else:
                    self.assertEqual(properties["AuthorizationType"], {"Fn::If": ["UsesJwt", "JWT", "AWS_IAM"]})
        published = json.loads((templates.FOLDER.parent / "docs" / "openapi.json").read_text())
        documented = {
            f"{method.upper()} {path}"
            for path, operations in published["paths"].items()
            for method, operation in operations.items()
            if isinstance(operation, dict) and operation.get("security") == []
        }
        self.assertEqual(open_routes, documented)

    def test_every_dead_letter_queue_is_watched(self):
        template = templates.load("template.yaml")
        alarm = json.dumps(templates.load("monitoring.yaml")["Resources"]["DeadLetters"])
        for name, resource in templates.of_type(template, "AWS::SQS::Queue").items():
            if name.endswith("Dlq"):
                queue = resource["Properties"]["QueueName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
                self.assertIn(f"${{Prefix}}-{queue}", alarm)

    def test_the_dashboard_is_json(self):
        body = templates.load("monitoring.yaml")["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        self.assertGreater(len(json.loads(body)["widgets"]), 5)


if __name__ == "__main__":
    unittest.main()

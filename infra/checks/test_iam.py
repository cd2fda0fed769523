"""Nobody may do more than what it needs: no actions in general, no resources in general, except what is explained here."""

import json
import unittest

import templates

# Actions that know no resources, or not before they exist. Everything else names what it is for.
NO_RESOURCES = {
    "batch:ListJobs": "AWS checks no resource",
    "ec2:CreateNetworkInterface": "Lambda makes the interfaces of functions in a network; only with a cache",
    "ec2:DeleteNetworkInterface": "as above",
    "ec2:DescribeNetworkInterfaces": "AWS checks no resource",
    "ec2:DescribeSubnets": "AWS checks no resource",
    "ecr:GetAuthorizationToken": "logs in to the registry; what may be pulled is named",
    "xray:PutTraceSegments": "AWS checks no resource",
    "xray:PutTelemetryRecords": "AWS checks no resource",
}

# Names that end in an asterisk, and why the rest cannot be known.
PREFIXES = {
    "/payloads/*": "objects",
    "/checkpoints/*": "objects",
    "/blobs/*": "objects",
    ":job/*": "ids of jobs",
    "-tasks-*": "queues of agents that are added later",
    "job-queue/${AWS::StackName}-*": "the queues of batch.yaml",
    "job-definition/${AWS::StackName}-*": "revisions, and definitions of agents that are added later",
    "repository/*": "images of agents that are added later",
}


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


def statements():
    """Every statement that grants something: place, statement."""
    for file in templates.NAMES:
        template = templates.load(file)
        kinds = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")
        for name, resource in templates.of_type(template, *kinds).items():
            properties = resource["Properties"]
            policies = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            if "PolicyDocument" in properties:
                policies.append(properties["PolicyDocument"])
            for policy in policies:
                for statement in policy["Statement"]:
                    yield f"{file}: {name}: {statement['Sid']}", statement


class IamTest(unittest.TestCase):
    def test_actions_are_named(self):
        for place, statement in statements():
            for action in listed(statement["Action"]):
                with self.subTest(place):
                    self.assertNotIn("*", action)
                    self.assertRegex(action, r"^[a-z0-9-]+:[A-Z][A-Za-z]+$")

    def test_resources_are_named(self):
        for place, statement in statements():
            for resource in listed(statement["Resource"]):
                with self.subTest(place):
                    if resource == "*":
                        unexplained = set(listed(statement["Action"])) - set(NO_RESOURCES)
                        self.assertEqual(unexplained, set(), "name the resource, or explain it in NO_RESOURCES")
                        continue
                    text = json.dumps(resource).rstrip('"}]')
                    explained = any(text.endswith(prefix) for prefix in PREFIXES)
                    self.assertTrue("*" not in text or explained, f"{text}: explain it in PREFIXES")

    def test_what_is_explained_is_used(self):
        actions = {action for _, statement in statements() for action in listed(statement["Action"])}
        self.assertEqual(set(NO_RESOURCES) - actions, set())
        resources = json.dumps([statement["Resource"] for _, statement in statements()])
        self.assertEqual([prefix for prefix in PREFIXES if prefix not in resources], [])

    def test_every_function_has_a_role_of_its_own(self):
        functions = templates.of_type(templates.load("template.yaml"), "AWS::Serverless::Function")
        roles = [json.dumps(function["Properties"]["Role"]) for function in functions.values()]
        self.assertEqual(len(set(roles)), len(functions))
        self.assertEqual(len(functions), 6)

    def test_maintained_policies_of_aws_are_the_exception(self):
        text = "".join((templates.FOLDER / file).read_text() for file in templates.NAMES)
        self.assertEqual(text.count(":iam::aws:policy/"), 1, "only machines of AWS Batch have one")


if __name__ == "__main__":
    unittest.main()

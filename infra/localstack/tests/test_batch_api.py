"""The job API over HTTP, as the orchestrator calls it."""

import json
import pathlib
import tempfile
import unittest

from botocore.exceptions import ClientError

from tests import running

EVENTS = {"source": ["aws.batch"], "detail-type": ["Batch Job State Change"]}
TEMPLATE = {
    "Resources": {
        "Environment": {
            "Type": "AWS::Batch::ComputeEnvironment",
            "Properties": {"Type": "MANAGED", "ComputeResources": {"Type": "FARGATE", "MaxvCpus": 4}},
        },
        "Policy": {
            "Type": "AWS::Batch::SchedulingPolicy",
            "Properties": {"Name": "fair", "FairsharePolicy": {"ShareDecaySeconds": 60}},
        },
        "Queue": {
            "Type": "AWS::Batch::JobQueue",
            "Properties": {
                "JobQueueName": "shared",
                "Priority": 1,
                "SchedulingPolicyArn": {"Ref": "Policy"},
                "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": {"Ref": "Environment"}}],
            },
        },
        "Definition": {
            "Type": "AWS::Batch::JobDefinition",
            "Properties": {
                "JobDefinitionName": "train",
                "Type": "container",
                "RetryStrategy": {"Attempts": 2},
                "Parameters": {"Colour": "red"},
                "ContainerProperties": {
                    "Image": "none",
                    "Command": ["sh", "-c", "echo Ref::Colour"],
                    "Environment": [{"Name": "EMULATOR_EXIT_CODE", "Value": "1"}],
                },
            },
        },
    },
    "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}, "Definition": {"Value": {"Ref": "Definition"}}},
}


class BatchApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = running.start()
        cls.addClassCleanup(running.stop, cls.emulator)

    def setUp(self):
        names = ("batch", "events", "sqs", "cloudformation")
        self.batch, self.events, self.sqs, self.cloudformation = running.clients(self.emulator.endpoint, *names)
        self.batch.create_job_queue(jobQueueName="plain", priority=1, computeEnvironmentOrder=[])

    def define(self, name, environment=None, **options):
        variables = [{"name": key, "value": value} for key, value in (environment or {}).items()]
        container = {"image": "none", "environment": variables}
        self.batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container, **options)

    def submit(self, name, definition, **options):
        return self.batch.submit_job(jobName=name, jobQueue="plain", jobDefinition=definition, **options)["jobId"]

    def job(self, job_id):
        return self.batch.describe_jobs(jobs=[job_id])["jobs"][0]

    def ended(self, job_id):
        return running.eventually("ended", lambda: (j := self.job(job_id))["status"] in ("SUCCEEDED", "FAILED") and j)

    def test_every_step_is_an_event_for_the_rules_of_the_account(self):
        url = self.sqs.create_queue(QueueName="states")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.events.put_rule(Name="states", EventPattern=json.dumps(EVENTS))
        self.events.put_targets(Rule="states", Targets=[{"Id": "1", "Arn": arn}])
        self.define("train")
        job_id = self.submit("one", "train")
        seen = []

        def failed_or_not():
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            seen.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
            return len(seen) >= 6

        running.eventually("six events", failed_or_not)
        states = {event["detail"]["status"] for event in seen}
        self.assertEqual(states, {"SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"})
        for event in seen:
            self.assertEqual((event["source"], event["detail"]["jobId"]), ("aws.batch", job_id))

    def test_a_definition_gives_retries_and_a_submission_overrides_them(self):
        self.define("flaky", {"EMULATOR_EXIT_CODE": "1"}, retryStrategy={"attempts": 2})
        self.assertEqual(len(self.ended(self.submit("two", "flaky"))["attempts"]), 2)
        once = self.submit("one", "flaky:1", retryStrategy={"attempts": 1})
        self.assertEqual(len(self.ended(once)["attempts"]), 1)

    def test_a_running_job_is_terminated_with_a_reason(self):
        self.define("stuck", {"EMULATOR_HANG": "1"}, retryStrategy={"attempts": 3})
        job_id = self.submit("one", "stuck")
        running.eventually("running", lambda: self.job(job_id)["status"] == "RUNNING")
        self.batch.terminate_job(jobId=job_id, reason="run cancelled")
        job = self.ended(job_id)
        self.assertEqual((job["status"], job["statusReason"], len(job["attempts"])), ("FAILED", "run cancelled", 1))

    def test_jobs_are_found_by_name_in_any_status_and_in_pages(self):
        self.define("quick")
        ids = [self.submit(f"run-{number}", "quick") for number in range(3)]
        for job_id in ids:
            self.ended(job_id)
        self.submit("other", "quick")

        def names(**options):
            pages = self.batch.get_paginator("list_jobs").paginate(
                jobQueue="plain", PaginationConfig={"PageSize": 2}, **options
            )
            return sorted(job["jobName"] for page in pages for job in page["jobSummaryList"])

        by_name = lambda pattern: names(filters=[{"name": "JOB_NAME", "values": [pattern]}])
        self.assertEqual(by_name("run-1"), ["run-1"])
        self.assertEqual(by_name("RUN-*"), ["run-0", "run-1", "run-2"])
        self.assertIn("run-0", names(jobStatus="SUCCEEDED"))

    def test_another_account_sees_nothing(self):
        self.define("quick")
        job_id = self.submit("one", "quick")
        (stranger,) = running.clients(self.emulator.endpoint, "batch")
        self.assertEqual(stranger.describe_jobs(jobs=[job_id])["jobs"], [])

    def test_what_batch_refuses_is_refused(self):
        self.define("train")
        cases = (
            {"jobName": "a b"},
            {"jobQueue": "absent"},
            {"jobDefinition": "absent"},
            {"jobDefinition": "train:2"},
            {"timeout": {"attemptDurationSeconds": 59}},
            {"retryStrategy": {"attempts": 11}},
            {"schedulingPriorityOverride": 10000},
            {"shareIdentifier": "a"},
            {"parameters": {"large": "x" * 31 * 1024}},
            {"dependsOn": [{"jobId": "a"}]},
        )
        for case in cases:
            with self.subTest(case), self.assertRaises(ClientError) as refusal:
                self.batch.submit_job(**{"jobName": "a", "jobQueue": "plain", "jobDefinition": "train", **case})
            self.assertEqual(refusal.exception.response["Error"]["Code"], "ClientException")

    def test_a_stack_brings_queues_policies_and_definitions_and_takes_them_away(self):
        self.cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(TEMPLATE))
        self.cloudformation.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
        stack = self.cloudformation.describe_stacks(StackName="s")["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        with self.assertRaisesRegex(ClientError, "shareIdentifier is needed"):
            self.batch.submit_job(jobName="a", jobQueue=outputs["Queue"], jobDefinition=outputs["Definition"])
        job_id = self.batch.submit_job(
            jobName="a", jobQueue=outputs["Queue"], jobDefinition=outputs["Definition"], shareIdentifier="team"
        )["jobId"]
        job = self.ended(job_id)
        self.assertEqual((job["status"], len(job["attempts"])), ("FAILED", 2))
        self.assertEqual(job["container"]["command"], ["sh", "-c", "echo red"])
        self.cloudformation.delete_stack(StackName="s")
        self.cloudformation.get_waiter("stack_delete_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
        self.assertEqual([q["jobQueueName"] for q in self.batch.describe_job_queues()["jobQueues"]], ["plain"])


class EndTest(unittest.TestCase):
    def test_the_end_of_its_parent_ends_the_emulator_its_jobs_and_its_folder(self):
        emulator = running.start()
        (batch,) = running.clients(emulator.endpoint, "batch")
        batch.create_job_queue(jobQueueName="q", priority=1, computeEnvironmentOrder=[])
        with tempfile.TemporaryDirectory() as folder:
            pid = pathlib.Path(folder, "pid")
            container = {
                "image": "none",
                "command": ["sh", "-c", f"pwd > {folder}/place; echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 1000"],
                "environment": [{"name": "EMULATOR_RUN", "value": "1"}],
            }
            batch.register_job_definition(jobDefinitionName="d", type="container", containerProperties=container)
            batch.submit_job(jobName="j", jobQueue="q", jobDefinition="d")
            running.eventually("the job runs", pid.exists)
            job, place = pid.read_text().strip(), pathlib.Path(folder, "place").read_text().strip()
            running.stop(emulator)
            running.eventually("the job is gone", lambda: not pathlib.Path(f"/proc/{job}/cmdline").exists())
            self.assertFalse(pathlib.Path(place).exists())


if __name__ == "__main__":
    unittest.main()

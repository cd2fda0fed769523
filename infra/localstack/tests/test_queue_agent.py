"""The consumer of an agent's queue, on the sample task of events/."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import boto3
import jsonschema

from tests import running

sys.path.insert(0, str(running.FOLDER.parent))

import queue_agent  # noqa: E402 - found in the folder that was just added

EVENTS = running.FOLDER.parent.parent / "events"


class QueueAgentTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = running.start()
        cls.addClassCleanup(running.stop, cls.emulator)
        schema = json.loads((EVENTS / "schemas" / "agent-report.schema.json").read_text())
        cls.schema = jsonschema.Draft202012Validator(schema)
        sample = json.loads((EVENTS / "agents" / "task.json").read_text())
        cls.envelope = json.loads(sample["Records"][0]["body"])

    def setUp(self):
        endpoint = self.emulator.endpoint
        self.account, self.sqs, self.s3 = running.account_and_clients(endpoint, "sqs", "s3")
        self.bucket = "none"
        self.tasks = self.sqs.create_queue(QueueName="tasks")["QueueUrl"]
        fifo = {"FifoQueue": "true"}
        self.reports = self.sqs.create_queue(QueueName="task-events.fifo", Attributes=fifo)["QueueUrl"]

    def work(self, source, body=None):
        """Has a script do a task; returns what was reported."""
        self.sqs.send_message(QueueUrl=self.tasks, MessageBody=json.dumps(body or self.envelope))
        session = boto3.Session(aws_access_key_id=self.account, aws_secret_access_key="t", region_name="us-east-1")
        command = ["sh", "-c", source]
        agent = queue_agent.Agent(self.tasks, self.reports, self.bucket, command, session, endpoint_url=self.emulator.endpoint)
        self.assertTrue(agent.serve_one())
        self.assertFalse(agent.serve_one(wait_seconds=0), "the task is done")
        messages = self.sqs.receive_message(QueueUrl=self.reports, MaxNumberOfMessages=10)["Messages"]
        said = [json.loads(message["Body"]) for message in messages]
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.reports, ReceiptHandle=message["ReceiptHandle"])
        for report in said:
            self.schema.validate(report)
            self.assertEqual(report["token"], self.envelope["token"])
        self.assertEqual(said[0]["type"], "TASK_STARTED")
        return said[1:]

    def test_the_output_of_the_program_is_reported(self):
        source = 'cmp - "$ORCHESTRATOR_ENVELOPE" && printf \'{"task": "%s"}\' $ORCHESTRATOR_TASK_ID > "$ORCHESTRATOR_OUTPUT"'
        (said,) = self.work(source)
        self.assertEqual((said["type"], said["output"]), ("TASK_SUCCESS", {"task": "train"}))

    def test_exit_codes_say_whether_trying_again_may_help(self):
        for code, kind in ((75, "transient"), (3, "error")):
            with self.subTest(code):
                self.setUp()
                (said,) = self.work(f"exit {code}")
                self.assertEqual((said["type"], said["error"]["class"]), ("TASK_FAILURE", kind))
                self.assertEqual(said["error"]["exit_code"], code)

    def test_output_that_is_no_json_is_a_failure(self):
        (said,) = self.work('echo nonsense > "$ORCHESTRATOR_OUTPUT"')
        self.assertEqual(said["type"], "TASK_FAILURE")

    def test_a_large_task_is_fetched(self):
        self.s3.create_bucket(Bucket="payloads")
        large = {**self.envelope, "params": {"text": "x" * 300_000}}
        self.s3.put_object(Bucket="payloads", Key="payloads/1", Body=json.dumps(large))
        reference = {"payload": {"bucket": "payloads", "key": "payloads/1", "bytes": 300_000}}
        (said,) = self.work('test $(wc -c < "$ORCHESTRATOR_ENVELOPE") -gt 300000', reference)
        self.assertEqual(said["type"], "TASK_SUCCESS")

    def test_what_the_program_saves_reaches_the_next_attempt(self):
        self.bucket = f"checkpoints-{self.account}"
        self.s3.create_bucket(Bucket=self.bucket)
        save = 'cd "$ORCHESTRATOR_CHECKPOINT_DIR"; echo w > weights; echo \'{"step": 1}\' > checkpoint.json; exit 75'
        saved, failed = self.work(save)
        self.assertEqual((saved["type"], saved["checkpoint"], failed["type"]), ("TASK_CHECKPOINT", {"step": 1}, "TASK_FAILURE"))
        entry = {"epoch": 1, "attempt": 1, "saved_at": "2026-01-06T00:00:00Z", "files": saved["files"]}
        again = {**self.envelope, "attempt": 2, "checkpoint": saved["checkpoint"], "checkpoints": [entry]}
        (said,) = self.work('cp "$ORCHESTRATOR_CHECKPOINT_DIR/checkpoint.json" "$ORCHESTRATOR_OUTPUT"', again)
        self.assertEqual((said["type"], said["output"]), ("TASK_SUCCESS", {"step": 1}))

    def test_in_a_job_it_does_the_one_task_it_was_given(self):
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "t",
            "AWS_DEFAULT_REGION": "us-east-1",
            "ORCHESTRATOR_TASK_EVENTS_QUEUE": self.reports,
            "ORCHESTRATOR_BUCKET": "none",
            "ORCHESTRATOR_INPUT": json.dumps(self.envelope),
        }
        program = 'echo 7 > "$ORCHESTRATOR_OUTPUT"; echo 1 > "$ORCHESTRATOR_CHECKPOINT_DIR/checkpoint.json"'
        command = [sys.executable, queue_agent.__file__, "--job", "--", "sh", "-c", program]
        subprocess.run(command, env=environment, check=True, timeout=running.PATIENCE_SECONDS)
        messages = self.sqs.receive_message(QueueUrl=self.reports, MaxNumberOfMessages=10)["Messages"]
        said = [json.loads(message["Body"]) for message in messages]
        self.assertEqual([report["type"] for report in said], ["TASK_STARTED", "TASK_CHECKPOINT", "TASK_SUCCESS"])
        self.assertEqual((said[1]["checkpoint"], said[2]["output"]), (1, 7))

    def test_a_task_stays_hidden_while_the_program_works(self):
        renewed = []
        keep_hidden = queue_agent.Agent.keep_hidden

        def counted(agent, receipt, finished):
            renew = agent.sqs.change_message_visibility
            with mock.patch.object(agent.sqs, "change_message_visibility", lambda **k: renewed.append(renew(**k))):
                keep_hidden(agent, receipt, finished)

        with (
            mock.patch.object(queue_agent, "RENEWED_SECONDS", 0.05),
            mock.patch.object(queue_agent.Agent, "keep_hidden", counted),
        ):
            (said,) = self.work("sleep 1")
        self.assertEqual(said["type"], "TASK_SUCCESS")
        self.assertGreater(len(renewed), 0)

    def test_an_attempt_that_takes_too_long_is_ended_in_silence_with_all_it_has_started(self):
        with tempfile.TemporaryDirectory() as folder:
            pid = pathlib.Path(folder, "pid")
            # Whoever waits for the output of these tests waits for every program that can still write to it.
            source = f"sleep 1000 & echo $! > {pid}.new; mv {pid}.new {pid}; wait"
            self.assertEqual(self.work(source, {**self.envelope, "timeout_seconds": 2}), [])
            child = int(pid.read_text())
            running.eventually("the child has ended", lambda: not pathlib.Path(f"/proc/{child}/fd/0").exists())


if __name__ == "__main__":
    unittest.main()

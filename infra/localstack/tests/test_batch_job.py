"""Lives of jobs, each in this process, without an emulator around it."""

import os
import pathlib
import tempfile
import threading
import unittest
from unittest import mock

from emulator import batch, batch_job
from emulator.batch_job import Job, matches
from tests.running import eventually


def job(environment=None, attempts=1, seconds=60, command=(), rules=None) -> Job:
    retries = {"attempts": attempts, **({"evaluateOnExit": rules} if rules else {})}
    record = {
        "jobId": "id",
        "jobArn": "arn:aws:batch:us-east-1:000000000000:job/id",
        "jobQueue": "arn:aws:batch:us-east-1:000000000000:job-queue/gpu",
        "status": "RUNNABLE",
        "attempts": [],
        "retryStrategy": retries,
        "timeout": {"attemptDurationSeconds": seconds},
        "container": {"command": list(command)},
    }
    return Job(record, {"EMULATOR_STEP_MS": "0", **(environment or {})}, priority=0)


def program(source: str, **options) -> Job:
    """A job whose command is a script of the shell."""
    return job({"EMULATOR_RUN": "1", **options.pop("environment", {})}, command=["sh", "-c", source], **options)


class JobTest(unittest.TestCase):
    def setUp(self):
        self.seen = []
        publish = mock.patch.object(batch_job, "_publish", lambda record: self.seen.append(record["status"]))
        publish.start()
        self.addCleanup(publish.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        place = mock.patch.object(tempfile, "tempdir", folder.name)
        place.start()
        self.addCleanup(place.stop)

    def in_background(self, tested: Job) -> threading.Thread:
        thread = threading.Thread(target=tested.run, daemon=True)
        thread.start()
        eventually("running", lambda: tested.record["status"] == "RUNNING" or tested.ended)
        return thread

    def assert_ended(self, tested: Job, status: str, reason: str, code, attempts=1):
        record = tested.record
        self.assertEqual((record["status"], record["statusReason"]), (status, reason))
        self.assertEqual(record["attempts"][-1]["container"].get("exitCode"), code)
        self.assertEqual(len(record["attempts"]), attempts)

    def test_a_job_that_exits_with_0_has_succeeded(self):
        tested = job()
        tested.run()
        self.assert_ended(tested, "SUCCEEDED", batch_job.EXITED, 0)
        self.assertEqual(self.seen, ["STARTING", "RUNNING", "SUCCEEDED"])

    def test_a_failing_job_is_retried_as_often_as_it_may(self):
        tested = job({"EMULATOR_EXIT_CODE": "3"}, attempts=2)
        tested.run()
        self.assert_ended(tested, "FAILED", batch_job.EXITED, 3, attempts=2)
        self.assertEqual(self.seen, ["STARTING", "RUNNING", "RUNNABLE", "STARTING", "RUNNING", "FAILED"])

    def test_a_lost_host_has_no_exit_code_and_the_next_attempt_may_succeed(self):
        tested = job({"EMULATOR_HOST_TERMINATED": "1"}, attempts=2)
        tested.run()
        self.assertEqual(tested.record["attempts"][0]["container"], {})
        self.assertTrue(tested.record["attempts"][0]["statusReason"].startswith("Host EC2"))
        self.assert_ended(tested, "SUCCEEDED", batch_job.EXITED, 0, attempts=2)

    def test_the_first_rule_that_matches_decides_about_a_retry(self):
        lost = {"onStatusReason": "Host EC2*", "action": "RETRY"}
        other = {"onReason": "*", "action": "EXIT"}
        tested = job({"EMULATOR_EXIT_CODE": "1", "EMULATOR_HOST_TERMINATED": "1"}, attempts=5, rules=[lost, other])
        tested.run()
        self.assert_ended(tested, "FAILED", batch_job.EXITED, 1, attempts=2)

    def test_without_a_rule_that_matches_a_job_is_retried(self):
        rule = {"onExitCode": "7", "action": "EXIT"}
        tested = job({"EMULATOR_EXIT_CODE": "8"}, attempts=2, rules=[rule])
        tested.run()
        self.assert_ended(tested, "FAILED", batch_job.EXITED, 8, attempts=2)

    def test_a_job_that_hangs_is_ended_by_its_time_out_and_not_retried(self):
        tested = job({"EMULATOR_HANG": "1"}, attempts=3, seconds=0.02)
        tested.run()
        self.assert_ended(tested, "FAILED", batch_job.TIMED_OUT, batch_job.KILLED)

    def test_a_terminated_job_is_not_retried(self):
        tested = job({"EMULATOR_HANG": "1"}, attempts=3)
        thread = self.in_background(tested)
        tested.stop("no longer needed", running_too=True)
        thread.join(60)
        self.assert_ended(tested, "FAILED", "no longer needed", batch_job.KILLED)
        self.assertTrue(tested.record["isTerminated"])

    def test_cancelling_leaves_a_running_job_alone_and_ends_a_waiting_one(self):
        running, waiting = job({"EMULATOR_HANG": "1"}), job()
        thread = self.in_background(running)
        for tested in (running, waiting):
            tested.stop("cancelled", running_too=False)
        self.assertEqual(running.record["status"], "RUNNING")
        self.assertEqual((waiting.record["status"], waiting.record["isCancelled"]), ("FAILED", True))
        waiting.run()
        self.assertEqual(waiting.record["attempts"], [], "a cancelled job does not start")
        running.stop("end of the test", running_too=True)
        thread.join(60)

    def test_a_command_is_run_with_the_variables_of_its_job(self):
        tested = program('echo "$GIVEN $AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ATTEMPT $AWS_BATCH_JQ_NAME"', environment={"GIVEN": "x"})
        tested.run()
        self.assert_ended(tested, "SUCCEEDED", batch_job.EXITED, 0)
        (log,) = self.folder.glob("job-*/output.log")
        self.assertEqual(log.read_text(), "x id 1 gpu\n")

    def test_exit_codes_and_signals_of_commands_are_the_containers(self):
        for source, code in (("exit 3", 3), ("kill -9 $$", 137)):
            tested = program(source)
            tested.run()
            self.assert_ended(tested, "FAILED", batch_job.EXITED, code)

    def test_a_command_that_is_not_there_did_not_start(self):
        tested = job({"EMULATOR_RUN": "1"}, command=["/does/not/exist"])
        tested.run()
        self.assert_ended(tested, "FAILED", batch_job.NOT_STARTED, None)
        self.assertIn("CannotStartContainerError", tested.record["container"]["reason"])

    def test_a_command_that_takes_too_long_is_asked_to_end(self):
        tested = program("sleep 1000", seconds=0.1)
        tested.run()
        self.assert_ended(tested, "FAILED", batch_job.TIMED_OUT, 143)

    def test_a_command_that_does_not_end_when_asked_is_killed(self):
        stubborn = program("trap '' TERM; echo ready > ready; while :; do sleep 0.01; done")
        with mock.patch.object(batch_job, "GRACE_SECONDS", 0.05):
            thread = self.in_background(stubborn)
            eventually("the trap is set", lambda: any(self.folder.glob("job-*/ready")))
            stubborn.stop("no longer needed", running_too=True)
            thread.join(60)
        self.assert_ended(stubborn, "FAILED", "no longer needed", 137)

    def test_a_command_that_ends_well_when_terminated_has_failed_all_the_same(self):
        tested = program("trap 'exit 0' TERM; echo ready > ready; while :; do sleep 0.01; done")
        thread = self.in_background(tested)
        eventually("the trap is set", lambda: any(self.folder.glob("job-*/ready")))
        tested.stop("no longer needed", running_too=True)
        thread.join(60)
        self.assert_ended(tested, "FAILED", "no longer needed", 137)

    def test_what_a_command_leaves_behind_ends_with_it(self):
        tested = program("sleep 1000 & echo $! > pid")
        tested.run()
        (file,) = self.folder.glob("job-*/pid")
        pid = int(file.read_text())
        eventually("the child is gone", lambda: not _is_alive(pid))


    def test_a_free_slot_goes_to_the_most_urgent_then_to_the_oldest(self):
        started = []
        for order, (name, priority) in enumerate((("old", 1), ("urgent", 9), ("young", 1))):
            tested = job()
            tested.run = lambda name=name: started.append(name)
            batch._waiting.put((-priority, order, tested))
        threading.Thread(target=batch._slot, daemon=True).start()
        eventually("all have started", lambda: len(started) == 3)
        self.assertEqual(started, ["urgent", "old", "young"])


class PatternTest(unittest.TestCase):
    def test_an_asterisk_at_the_end_stands_for_anything(self):
        self.assertTrue(matches("Host EC2*", "Host EC2 (instance i-1) terminated."))
        self.assertTrue(matches("*", ""))
        self.assertTrue(matches("137", "137"))
        self.assertFalse(matches("13", "137"))


def _is_alive(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


if __name__ == "__main__":
    unittest.main()

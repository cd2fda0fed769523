"""Checkpoints of programs, kept in a bucket."""

import json
import os
import pathlib
import sys
import tempfile
import threading
import unittest
import uuid

import jsonschema

from tests import running

sys.path.insert(0, str(running.FOLDER.parent))

import checkpoints  # noqa: E402 - found in the folder that was just added

EVENTS = running.FOLDER.parent.parent / "events"


class CheckpointsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = running.start()
        cls.addClassCleanup(running.stop, cls.emulator)
        schema = json.loads((EVENTS / "schemas" / "agent-report.schema.json").read_text())
        cls.schema = jsonschema.Draft202012Validator(schema)
        sample = json.loads((EVENTS / "agents" / "task.json").read_text())
        cls.sample = json.loads(sample["Records"][0]["body"])

    def setUp(self):
        (self.s3,) = running.clients(self.emulator.endpoint, "s3")
        # Names of buckets are the same for everybody.
        self.bucket = f"checkpoints-{uuid.uuid4()}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.said = []
        self.known = []
        self.value = None

    def report(self, **said):
        """What the orchestrator would remember of a report."""
        ids = {key: self.sample[key] for key in ("run_id", "task_id", "epoch", "attempt", "token")}
        self.schema.validate({**ids, **said})
        self.said.append(said)
        if said["type"] == "TASK_CHECKPOINT":
            entry = {"epoch": 1, "attempt": 1, "saved_at": "2026-01-06T00:00:00Z"}
            if "files" in said:
                entry["files"] = said["files"]
            self.known = [entry, *self.known][:3] if "files" in said else [entry]
            self.value = said.get("checkpoint")

    def attempt(self):
        """A new attempt; its checkpoints, and the envelope its program sees."""
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        envelope = {**self.sample, "checkpoint": self.value, "checkpoints": self.known}
        made = checkpoints.Checkpoints(self.s3, self.bucket, envelope, pathlib.Path(scratch.name, "c"), self.report)
        return made, made.restore()

    def left(self, files: dict, well=True):
        """An attempt that leaves these files, in this order."""
        made, _ = self.attempt()
        for path, content in files.items():
            target = made.directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        made.save(ended=True, well=well)
        return made

    def held(self, directory: pathlib.Path) -> dict:
        """What is in a directory."""
        paths = (path for path in directory.rglob("*") if path.is_file())
        return {str(path.relative_to(directory)): path.read_bytes() for path in paths}

    def objects(self) -> dict:
        """What is in the bucket: names by content."""
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        read = lambda key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()  # noqa: E731 - short
        return {read(item["Key"]): item["Key"] for item in found}

    def test_what_was_saved_is_restored_byte_for_byte(self):
        files = {"weights.bin": b"\0\xff\n", "deep/er/x": b"", "next.part": b"half", "checkpoint.json": b' {"step" : 3} '}
        self.left(files)
        (said,) = self.said
        self.assertEqual((said["checkpoint"], said["files"]["count"], said["files"]["bytes"]), ({"step": 3}, 3, 17))
        made, envelope = self.attempt()
        del files["next.part"]
        self.assertEqual(self.held(made.directory), files)
        self.assertIsNone(envelope["checkpoint_problem"])
        made.save(ended=True, well=True)
        self.assertEqual(len(self.said), 1, "the same is nothing new")

    def test_a_value_alone_needs_no_objects(self):
        self.left({"checkpoint.json": b'{"fold": 3}'})
        self.assertEqual((self.said, self.objects()), ([{"type": "TASK_CHECKPOINT", "checkpoint": {"fold": 3}}], {}))
        made, _ = self.attempt()
        self.assertEqual(json.loads((made.directory / "checkpoint.json").read_text()), {"fold": 3})
        (made.directory / "checkpoint.json").unlink()
        made.save(ended=True, well=False)
        self.assertEqual(len(self.said), 1)
        made.save(ended=True, well=True)
        self.assertEqual(self.said[1:], [{"type": "TASK_CHECKPOINT", "checkpoint": None}])

    def test_damaged_objects_are_found_and_the_checkpoint_before_is_used(self):
        harms = (
            (b"weights 22", b"weights 2x", "file 'weights' has another SHA-256"),
            (b"weights 22", b"weights 2", "file 'weights' has 9 bytes instead of 10"),
            (b"weights 22", None, "file 'weights' is missing"),
            (None, b"{}", "the list of files has another SHA-256"),
            (None, None, "the list of files is missing"),
        )
        for content, instead, says in harms:
            with self.subTest(says):
                self.setUp()
                self.left({"weights": b"weights 11"})
                self.left({"weights": b"weights 22"})
                listed = f"checkpoints/{self.sample['run_id']}/train/{self.said[1]['files']['list']}"
                key = self.objects()[content] if content else listed
                if instead is None:
                    self.s3.delete_object(Bucket=self.bucket, Key=key)
                else:
                    self.s3.put_object(Bucket=self.bucket, Key=key, Body=instead)
                made, envelope = self.attempt()
                self.assertEqual(self.held(made.directory), {"weights": b"weights 11"})
                self.assertIn(says, envelope["checkpoint_problem"])
                self.assertEqual(self.said[2]["type"], "TASK_CHECKPOINT_REJECTED")
                self.assertEqual(self.said[2]["files"], self.said[1]["files"])
                self.assertEqual(len(envelope["checkpoints"]), 1)

    def test_a_list_never_leads_out_of_the_directory(self):
        for path in ("../escaped", "/escaped", "a/../../escaped", ""):
            with self.subTest(path):
                self.setUp()
                self.left({"x": b"x"})
                key = self.objects()[b"x"]
                text = json.dumps({"version": 1, "files": [{"path": path, "bytes": 1, "sha256": key[-64:]}]}).encode()
                sha256 = checkpoints.hashlib.sha256(text).hexdigest()
                self.s3.put_object(Bucket=self.bucket, Key=key[:-64] + sha256, Body=text)
                self.known[0]["files"]["list"] = sha256
                made, envelope = self.attempt()
                self.assertIn("cannot be used", envelope["checkpoint_problem"])
                self.assertEqual(self.held(made.directory), {})

    def test_half_a_checkpoint_is_not_saved(self):
        made = self.left({"weights": b"1", "checkpoint.json": b"1"})
        os.utime(made.directory / "weights", (2e9, 2e9))
        made.save(ended=False, well=False)
        self.assertEqual(len(self.said), 1)
        made.save(ended=True, well=False)
        self.assertIn("'weights' is newer than 'checkpoint.json'", self.said[1]["message"])

    def test_what_a_program_completes_is_saved_while_it_works(self):
        made, _ = self.attempt()
        thread = made.watch()
        (made.directory / "weights").write_bytes(b"1")
        (made.directory / "checkpoint.json").write_bytes(b'{"step": 1}')
        running.eventually("it is saved", lambda: self.said)
        made.finish(thread, well=True)
        self.assertEqual([said["checkpoint"] for said in self.said], [{"step": 1}])
        self.assertFalse(threading.Thread.is_alive(thread))

    def test_what_is_no_file_is_refused_by_its_name_and_told_once(self):
        made, _ = self.attempt()
        os.symlink("/etc/passwd", made.directory / "link")
        made.save(ended=True, well=True)
        made.save(ended=True, well=True)
        (said,) = self.said
        self.assertEqual(
            said["message"],
            "of the checkpoint directory, 'link' is a symbolic link (a checkpoint has files and directories only)",
        )
        os.mkfifo(made.directory / "link.d")
        os.unlink(made.directory / "link")
        made.save(ended=True, well=True)
        self.assertIn("is a pipe", self.said[1]["message"])

    def test_a_file_that_has_not_changed_is_sent_once(self):
        self.left({"shared": b"s", "weights": b"1"})
        made, _ = self.attempt()
        sent = []
        upload = self.s3.upload_file
        made.s3.upload_file = lambda *arguments: sent.append(upload(*arguments))
        (made.directory / "weights").write_bytes(b"2")
        made.save(ended=True, well=True)
        self.assertEqual((len(sent), len(self.objects())), (1, 5))


if __name__ == "__main__":
    unittest.main()

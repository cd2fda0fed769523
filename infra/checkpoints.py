"""Checkpoints of a program that works away from the orchestrator, kept in the bucket of the stack.

The rules are those of ``docs/checkpoints.md``: ``checkpoint.json`` completes a checkpoint, a directory without one is saved at the end,
and an attempt starts from the newest checkpoint whose files have the length and the SHA-256 that were recorded. Objects are named
after their content::

    checkpoints/RUN/TASK/SHA256     a file; or the list of the files of a checkpoint, with the length and the SHA-256 of each

The journal has the SHA-256 of the list. Nothing here deletes objects: a rule of the bucket does, when no run can need them any more.
"""

import hashlib
import json
import os
import pathlib
import shutil
import stat
import threading
import urllib.parse

from botocore.exceptions import ClientError

COMPLETING = "checkpoint.json"
UNFINISHED = (".tmp", ".part")
VALUE_BYTES_MAX = 512 << 10
FILES_MAX = 10_000
DEPTH_MAX = 16
LIST_BYTES_MAX = 64 << 20
CHUNK_BYTES = 1 << 20

# Seconds between two looks at the directory of a program that works.
PERIOD_SECONDS = 1.0


class Unfit(Exception):
    """A directory that cannot be saved, and why."""


class Damaged(Exception):
    """A saved checkpoint that is not what was saved."""


class Checkpoints:
    """The checkpoints of one attempt. ``report`` sends what is said about the attempt, ``scratch`` is a folder for copies."""

    def __init__(self, s3, bucket: str, envelope: dict, scratch: pathlib.Path, report):
        self.s3 = s3
        self.bucket = bucket
        self.envelope = envelope
        self.report = report
        self.copies = scratch / "copies"
        self.copies.mkdir(parents=True)
        self.directory = scratch / "checkpoint"
        task = urllib.parse.quote(envelope["task_id"], safe="")
        self.prefix = f"checkpoints/{envelope['run_id']}/{task}/"
        self.stored = set()
        self.taken = None
        self.failed = None
        self.last = None
        self.told = set()
        self.over = threading.Event()
        self.lock = threading.Lock()

    # What the attempt starts from.

    def restore(self) -> dict:
        """Fills the directory; returns the envelope as the program is to see it."""
        problems = []
        saved = self.envelope.get("checkpoints", [])
        value = self.envelope.get("checkpoint")
        for index, checkpoint in enumerate(saved):
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory.mkdir()
            value = self.envelope.get("checkpoint") if index == 0 else checkpoint.get("value")
            files = checkpoint.get("files")
            try:
                if files:
                    value = self.fetch_all(files)
                elif value is not None:
                    (self.directory / COMPLETING).write_text(json.dumps(value))
            except Damaged as damage:
                reason = f"of the checkpoint of epoch {checkpoint['epoch']}, attempt {checkpoint['attempt']}, {damage}"
                problems.append(reason)
                self.report(type="TASK_CHECKPOINT_REJECTED", files=files, message=reason)
                continue
            self.last = files["list"] if files else json.dumps(value, sort_keys=True)
            saved = saved[index:]
            break
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory.mkdir()
            saved, value = [], None
        self.taken = self.stamp()
        if not problems:
            return self.envelope
        start = f"epoch {saved[0]['epoch']}, attempt {saved[0]['attempt']}" if saved else "the beginning"
        problem = "; ".join(problems) + f"; the attempt starts from {start}"
        return {**self.envelope, "checkpoint": value, "checkpoints": saved, "checkpoint_problem": problem}

    def fetch_all(self, files: dict):
        """Fills the directory with the files of a checkpoint; returns what was noted in it."""
        text = self.copies / "list"
        self.fetch(files["list"], None, text, "the list of files")
        listed = json.loads(text.read_bytes())["files"]
        listed.sort(key=lambda file: file["path"] == COMPLETING)
        for file in listed:
            parts = file["path"].split("/")
            if any(part in ("", ".", "..") or "\0" in part for part in parts):
                raise Damaged(f"the list of files cannot be used: it has the path '{file['path']}'")
            path = self.directory.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.fetch(file["sha256"], file["bytes"], path, f"file '{file['path']}'")
        self.stored.update(file["sha256"] for file in listed)
        self.stored.add(files["list"])
        try:
            return json.loads((self.directory / COMPLETING).read_bytes())
        except (OSError, ValueError):
            return None

    def fetch(self, sha256: str, size, path: pathlib.Path, what: str) -> None:
        """Copies an object to a file, if it is what was saved."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=self.prefix + sha256)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise Damaged(f"{what} is missing") from error
            raise
        found = answer["ContentLength"]
        if size is not None and found != size:
            raise Damaged(f"{what} has {found} bytes instead of {size}")
        if size is None and found > LIST_BYTES_MAX:
            raise Damaged(f"{what} has {found} bytes")
        with path.open("wb") as file:
            content = copy(answer["Body"], file)
        if content != (found, sha256):
            raise Damaged(f"{what} has another SHA-256 than what was saved")

    # What it saves.

    def watch(self) -> threading.Thread:
        """Saves what the program completes, until it has ended."""
        thread = threading.Thread(target=self.look_again_and_again, daemon=True)
        thread.start()
        return thread

    def look_again_and_again(self) -> None:
        """The work of the thread."""
        while not self.over.wait(PERIOD_SECONDS):
            found = self.stamp()
            if found and found not in (self.taken, self.failed):
                self.save(ended=False, well=False)

    def finish(self, thread: threading.Thread, well: bool) -> None:
        """The program has ended: saves what it left."""
        self.over.set()
        thread.join()
        self.save(ended=True, well=well)

    def save(self, ended: bool, well: bool) -> None:
        """Saves the directory if it is a new checkpoint, and reports it."""
        tried = self.stamp()
        try:
            with self.lock:
                said = self.take(ended, well)
        except (Unfit, OSError, ClientError) as error:
            self.failed = tried
            reason = f"of the checkpoint directory, {error}"
            if reason not in self.told:
                self.told.add(reason)
                self.report(type="TASK_CHECKPOINT_REJECTED", message=reason)
            return
        if said:
            self.report(type="TASK_CHECKPOINT", **said)

    def take(self, ended: bool, well: bool):
        """What is to be reported of the directory; None if there is nothing new in it."""
        before = scan(self.directory)
        if not before:
            gone = ended and well and self.last not in (None, "null")
            return self.value_alone(None) if gone else None
        completing = before.get(COMPLETING)
        if completing is None and not ended:
            return None
        newer = [path for path, found in before.items() if completing and found[1] > completing[1]]
        if newer:
            if not ended:
                return None
            raise Unfit(f"'{newer[0]}' is newer than '{COMPLETING}', so that they may not belong together (write '{COMPLETING}' last)")
        if completing and completing == self.taken:
            return None
        value = None
        if completing:
            if completing[0] > VALUE_BYTES_MAX:
                raise Unfit(f"'{COMPLETING}' has {completing[0]} bytes, more than {VALUE_BYTES_MAX} (keep large state in other files beside it)")
            try:
                value = json.loads((self.directory / COMPLETING).read_bytes())
            except ValueError as error:
                if not ended:
                    return None
                raise Unfit(f"'{COMPLETING}' is not JSON: {error} (write it under another name and rename it)") from error
        alone = completing is not None and len(before) == 1
        try:
            listed = None if alone else self.store_all(before)
        except FileNotFoundError:
            # The program has renamed or removed a file meanwhile.
            return None
        if scan(self.directory) != before:
            return None
        self.taken = completing
        if alone:
            return self.value_alone(value)
        text = json.dumps({"version": 1, "files": listed}, separators=(",", ":"), ensure_ascii=False).encode()
        sha256 = hashlib.sha256(text).hexdigest()
        if sha256 == self.last:
            return None
        self.s3.put_object(Bucket=self.bucket, Key=self.prefix + sha256, Body=text)
        self.last = sha256
        files = {"list": sha256, "count": len(listed), "bytes": sum(file["bytes"] for file in listed)}
        return {"files": files} if value is None else {"files": files, "checkpoint": value}

    def value_alone(self, value):
        """A checkpoint without files, unless it is the last one."""
        text = json.dumps(value, sort_keys=True)
        if text == self.last:
            return None
        self.last = text
        return {"checkpoint": value}

    def store_all(self, found: dict) -> list:
        """Puts all files into the bucket; the list of them."""
        listed = []
        copied = self.copies / "file"
        for path in sorted(found):
            # A copy cannot change between being hashed and being sent.
            with (self.directory / path).open("rb") as source, copied.open("wb") as target:
                size, sha256 = copy(source, target)
            if sha256 not in self.stored:
                self.s3.upload_file(str(copied), self.bucket, self.prefix + sha256)
                self.stored.add(sha256)
            listed.append({"path": path, "bytes": size, "sha256": sha256})
        copied.unlink(missing_ok=True)
        return listed

    def stamp(self):
        """The file that completes a checkpoint, as it is."""
        try:
            return stamp_of((self.directory / COMPLETING).lstat())
        except FileNotFoundError:
            return None


def stamp_of(found: os.stat_result) -> tuple:
    """Changes whenever the file does."""
    return found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino


def copy(source, target) -> tuple:
    """Copies everything; its length and its SHA-256."""
    sha256, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK_BYTES):
        sha256.update(chunk)
        target.write(chunk)
        size += len(chunk)
    return size, sha256.hexdigest()


def scan(directory: pathlib.Path, prefix: str = "", depth: int = 0) -> dict:
    """The files of a directory: their paths in it, and stamps that change whenever they do."""
    found = {}
    for entry in list(os.scandir(directory)):
        if entry.name.endswith(UNFINISHED):
            continue
        path = prefix + entry.name
        try:
            path.encode()
            state = entry.stat(follow_symlinks=False)
        except UnicodeEncodeError as error:
            raise Unfit(f"'{os.fsencode(path)!r}' is not UTF-8 (give the file another name)") from error
        except FileNotFoundError:
            continue
        if depth >= DEPTH_MAX:
            raise Unfit(f"'{path[:80]}...' is deeper than {DEPTH_MAX} directories")
        if stat.S_ISDIR(state.st_mode):
            found.update(scan(pathlib.Path(entry.path), f"{path}/", depth + 1))
        elif stat.S_ISREG(state.st_mode):
            found[path] = stamp_of(state)
        else:
            kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
            what = kinds.get(stat.S_IFMT(state.st_mode), "a device")
            raise Unfit(f"'{path}' is {what} (a checkpoint has files and directories only)")
        if len(found) > FILES_MAX:
            raise Unfit(f"it has more than {FILES_MAX} files (put them into one archive)")
    return found

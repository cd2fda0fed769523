"""The emulator as a process: its port, its folder, its environment, its end."""

import atexit
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

# What functions and jobs may inherit. They inherit the emulator's environment, so everything else is dropped: a test
# must not depend on whose shell it was started from.
KEPT = {"PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ", "RUST_LOG", "RUST_BACKTRACE", "TMPDIR"}

HEALTHY_WITHIN_SECONDS = 60


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def endpoint() -> str:
    """Where this emulator answers."""
    return os.environ["AWS_ENDPOINT_URL"]


def prepare(port: int, attached: bool) -> None:
    """Sets up environment, folder and end of this process. Before MiniStack is imported."""
    for name in set(os.environ) - KEPT:
        del os.environ[name]
    folder = tempfile.mkdtemp(prefix="orchestrator-emulator-")
    tempfile.tempdir = folder
    os.environ.update(
        {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            # Functions are given the endpoint only if the emulator itself has it.
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "LOG_LEVEL": "ERROR",
            "TMPDIR": folder,
            "STATE_DIR": os.path.join(folder, "state"),
            "S3_DATA_DIR": os.path.join(folder, "s3"),
        }
    )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if attached:
        # A group of its own, so that functions and jobs can be ended together with the emulator.
        os.setsid()
        threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()


def _end_with_parent(folder: str) -> None:
    """Ends the whole group when the other end of standard input is gone, however its process ended."""
    while os.read(0, 1024):
        pass
    from emulator import batch_job

    batch_job.kill_all()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def announce() -> None:
    """Prints ``AWS_ENDPOINT_URL=...`` as the only line of standard output, as soon as the emulator answers."""
    threading.Thread(target=_announce, daemon=True).start()


def _announce() -> None:
    deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
    while not _answers():
        if time.monotonic() > deadline:
            print(f"error: not healthy within {HEALTHY_WITHIN_SECONDS} s", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        time.sleep(0.02)
    print(f"AWS_ENDPOINT_URL={endpoint()}", flush=True)
    # Nobody has to read on.
    os.dup2(2, 1)


def _answers() -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint()}/_localstack/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False

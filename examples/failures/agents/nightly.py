"""The agents of this example, in one script: what to do is the action named in the envelope."""
import json
import os
import sys
from pathlib import Path

RUN_DIR = Path(os.environ["ORCHESTRATOR_RUN_DIR"])
TRANSIENT_EXIT = 75


def fetch_data(envelope):
    """Pretends to download readings from a server that is down at first. It comes back while the task is being retried, or else
    before a person has the failed run retried: that starts a new epoch of the task."""
    outage = envelope["params"]["outage_attempts"]
    if type(outage) is not int or outage < 0:
        fail("validation", f"params.outage_attempts is {json.dumps(outage)}: in the workflow's inputs, give a whole number from 0")
    if envelope["epoch"] == 1 and envelope["attempt"] <= outage:
        fail("transient", f"attempt {envelope['attempt']}: the server does not answer; it may later")
    readings = [{"hour": hour, "celsius": round(12 + 0.5 * hour - 0.02 * hour * hour, 2)} for hour in range(24)]
    download, data = RUN_DIR / "download.txt", RUN_DIR / "readings.json"
    download.write_text("\n".join(f"{r['hour']:02}:00 {r['celsius']} C" for r in readings) + "\n", encoding="utf-8")
    data.write_text(json.dumps(readings), encoding="utf-8")
    print(f"attempt {envelope['attempt']}: got {len(readings)} readings")
    return {"download": str(download), "data": str(data), "readings": len(readings)}


def delete_dataset(envelope):
    path = Path(envelope["params"]["path"])
    size = path.stat().st_size if path.exists() else 0  # a second attempt finds it gone, which is what was wanted
    path.unlink(missing_ok=True)
    print(f"deleted {path}")
    return {"freed_bytes": size}


def record_space(envelope):
    print(f"{envelope['params']['freed_bytes']} bytes are free again")
    return {"freed_bytes": envelope["params"]["freed_bytes"]}


def publish(envelope):
    readings = json.loads(Path(envelope["params"]["data"]).read_text(encoding="utf-8"))
    page = RUN_DIR / "published.txt"
    mean = sum(reading["celsius"] for reading in readings) / len(readings)
    page.write_text(f"{len(readings)} readings, {mean:.1f} C on average\n", encoding="utf-8")
    print(f"published {page}")
    return {"published": str(page)}


def write_summary(envelope):
    summary = RUN_DIR / "summary.txt"
    lines = [f"{task}: {status}" for task, status in envelope["params"]["statuses"].items()]
    summary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return {"summary": str(summary)}


def fail(kind, message):
    """Ends the task. The error in the output says what kind of failure it is; the exit code 75 would do for a transient one."""
    write_output({"error": {"class": kind, "message": message}})
    print(message, file=sys.stderr)
    sys.exit(TRANSIENT_EXIT if kind == "transient" else 1)


def write_output(value):
    Path(os.environ["ORCHESTRATOR_OUTPUT"]).write_text(json.dumps(value), encoding="utf-8")


ACTIONS = {action.__name__: action for action in (fetch_data, delete_dataset, record_space, publish, write_summary)}

task = json.load(sys.stdin)
if task["action"] not in ACTIONS:
    fail("validation", f"action is {task['action']!r}: this agent only knows {', '.join(ACTIONS)}")
write_output(ACTIONS[task["action"]](task))

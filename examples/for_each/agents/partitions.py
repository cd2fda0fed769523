"""The agents of this example, in one script: what to do is the action named in the envelope."""
import csv
import json
import os
import statistics
import sys
from collections import defaultdict
from pathlib import Path

RUN_DIR = Path(os.environ["ORCHESTRATOR_RUN_DIR"])


def list_partitions(envelope):
    """Splits the data into one file for each combination of values of the columns in `by`, and lists the files."""
    path, columns = envelope["params"]["path"], envelope["params"]["by"]
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            header, rows = reader.fieldnames or [], list(reader)
    except OSError as error:
        fail(f"params.path is {path!r}: cannot read it ({error.strerror}); give the path of a CSV file")
    if not isinstance(columns, list) or not columns or not all(column in header for column in columns):
        fail(f"params.by is {json.dumps(columns)}: give a list of columns, of {', '.join(header)}")
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in columns)].append(row)
    partitions = []
    for index, (values, members) in enumerate(sorted(groups.items())):
        part = RUN_DIR / f"part-{index}.csv"
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, header)
            writer.writeheader()
            writer.writerows(members)
        partitions.append({"name": " / ".join(values), "path": str(part), "rows": len(members)})
        print(f"{partitions[-1]['name']}: {len(members)} rows")
    return {"partitions": partitions}


def summarise(envelope):
    """The mean of one column of one partition, over the rows that have a value."""
    name, column = envelope["params"]["name"], envelope["params"]["column"]
    with open(envelope["params"]["path"], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if column not in rows[0]:
        fail(f"params.column is {column!r}: give one of {', '.join(rows[0])}")
    try:
        values = [float(row[column]) for row in rows if row[column] not in ("", "NA")]
    except ValueError as error:
        fail(f"params.column is {column!r}: it does not hold numbers ({error}); give another column")
    mean = round(statistics.fmean(values), 1) if values else None
    print(f"{name}: {len(values)} values of {column}, mean {mean}")
    return {"name": name, "rows": len(rows), "values": len(values), "mean": mean}


def combine(envelope):
    """Puts the summaries, which come in the order of the partitions, into one table."""
    summaries, column = envelope["params"]["summaries"], envelope["params"]["column"]
    lines = [f"{'partition':<24} {'rows':>5} {'mean ' + column:>24}"]
    lines += [f"{s['name']:<24} {s['rows']:>5} {'-' if s['mean'] is None else s['mean']:>24}" for s in summaries]
    print("\n".join(lines))
    table = RUN_DIR / "summary.txt"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    known = [summary for summary in summaries if summary["mean"] is not None]
    largest = max(known, key=lambda summary: summary["mean"])["name"] if known else None
    return {"table": str(table), "partitions": len(summaries), "rows": sum(s["rows"] for s in summaries), "largest": largest}


def fail(message):
    """Ends the task. Errors of class validation are not retried: the same input would fail again."""
    write_output({"error": {"class": "validation", "message": message}})
    print(message, file=sys.stderr)
    sys.exit(1)


def write_output(value):
    Path(os.environ["ORCHESTRATOR_OUTPUT"]).write_text(json.dumps(value), encoding="utf-8")


ACTIONS = {action.__name__: action for action in (list_partitions, summarise, combine)}

task = json.load(sys.stdin)
if task["action"] not in ACTIONS:
    fail(f"action is {task['action']!r}: this agent only knows {', '.join(ACTIONS)}")
write_output(ACTIONS[task["action"]](task))

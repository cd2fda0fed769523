"""Three agents in one program: hash a file, measure the penguins of an island, write a report.

The orchestrator hands a task over as one JSON document, named by ORCHESTRATOR_ENVELOPE, and takes the JSON in the file named
by ORCHESTRATOR_OUTPUT as its output.
"""

import csv
import hashlib
import json
import os
import statistics
import sys
import time


def look(params):
    """Where the data are, and what tells them from other data."""
    with open(params["path"], "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {"path": os.path.abspath(params["path"]), "sha256": digest}


def measure(params):
    """Number, mean and spread of a column on one island. Takes its time, as a large data set would."""
    time.sleep(0.5)
    with open(params["path"], newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["island"] == params["island"]]
    known = [float(row[params["column"]]) for row in rows if row[params["column"]] not in ("", "NA")]
    if len(known) < 2:
        fail(f"island '{params['island']}' has {len(known)} values of '{params['column']}' (2 are needed)")
    return {
        "island": params["island"],
        "penguins": len(known),
        "mean": round(statistics.mean(known), 1),
        "deviation": round(statistics.stdev(known), 1),
    }


def report(params):
    """A table of what was measured, as text in the folder of the run."""
    lines = [f"{params['column']} by island"]
    for row in params["measured"]:
        lines.append(f"{row['island']:10} {row['penguins']:4} penguins, {row['mean']:8.1f} +- {row['deviation']:.1f}")
    path = os.path.join(os.environ["ORCHESTRATOR_RUN_DIR"], "report.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    return {"report": path, "islands": len(params["measured"])}


def fail(message):
    """Ends the attempt: what it says last is the reason that the orchestrator records."""
    print(message, file=sys.stderr)
    sys.exit(1)


ACTIONS = {"look": look, "measure": measure, "report": report}


def main():
    with open(os.environ["ORCHESTRATOR_ENVELOPE"], encoding="utf-8") as file:
        envelope = json.load(file)
    action = ACTIONS.get(envelope["action"])
    if action is None:
        fail(f"action '{envelope['action']}' is unknown (it may be {', '.join(ACTIONS)})")
    output = action(envelope["params"])
    with open(os.environ["ORCHESTRATOR_OUTPUT"], "w", encoding="utf-8") as file:
        json.dump(output, file)


main()

"""What every agent of this example shares: the agent protocol, and reading and writing of small files."""
import csv
import json
import math
import os
import sys
from pathlib import Path

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
NAMES = {
    "bill_length_mm": "Bill length (mm)",
    "bill_depth_mm": "Bill depth (mm)",
    "flipper_length_mm": "Flipper length (mm)",
    "body_mass_g": "Body mass (g)",
}
FEATURES = list(NAMES)
COLUMNS = ["species", "island"] + FEATURES + ["sex", "year"]
TYPE_NAMES = {str: "text", int: "a whole number", float: "a number", list: "a list", dict: "an object"}
TRANSIENT_EXIT = 75


class TaskError(Exception):
    """A failure with a message for the user. `kind` is validation, permanent or transient; only transient ones are worth a retry."""

    def __init__(self, message, kind="validation"):
        super().__init__(message)
        self.kind = kind


class Task:
    """One task as the orchestrator hands it over."""

    def __init__(self, envelope, run_dir, checkpoint_dir):
        self.action = envelope["action"]
        self.run_id = envelope["run_id"]
        self.attempt = envelope["attempt"]
        self.params = envelope["params"]
        self.run_dir = run_dir
        self.checkpoint_dir = checkpoint_dir

    def param(self, name, kind, check=lambda value: True, wanted=""):
        """The param `name`, which must be of the type `kind` and pass `check`; `wanted` says in words what would."""
        wanted = wanted or TYPE_NAMES[kind]
        if name not in self.params:
            raise TaskError(f"params.{name} is missing: in the workflow file, give {wanted}")
        value = self.params[name]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or not check(value):
            raise TaskError(f"params.{name} is {json.dumps(value)}: in the workflow file, give {wanted}")
        return value


def run_agent(actions):
    """Reads the envelope from stdin, runs its action, and writes the action's result, a small dict, as the task's output."""
    try:
        run_dir = Path(os.environ["ORCHESTRATOR_RUN_DIR"])
        checkpoint_dir = Path(os.environ["ORCHESTRATOR_CHECKPOINT_DIR"])
        output = Path(os.environ["ORCHESTRATOR_OUTPUT"])
    except KeyError as missing:
        sys.exit(f"{missing} is not set: agents are started by the orchestrator; try `orchestrator run workflow.yaml`")
    task = Task(json.load(sys.stdin), run_dir, checkpoint_dir)
    try:
        if task.action not in actions:
            raise TaskError(f"action is {task.action!r}: this agent only knows {', '.join(actions)}")
        write_json(output, actions[task.action](task))
    except TaskError as error:
        write_json(output, {"error": {"class": error.kind, "message": str(error)}})
        print(f"{error.kind} error: {error}", file=sys.stderr)
        sys.exit(TRANSIENT_EXIT if error.kind == "transient" else 1)


def log(message):
    """One line in the task's log, at once."""
    print(message, flush=True)


def write_json(path, value):
    """Writes the whole file or nothing, so that a reader never sees half of it. Gives back the path as text."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    os.replace(part, path)
    return str(path)


def read_json(path):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TaskError(f"{path}: cannot read it as JSON ({error}): run the task that writes it again", "permanent")


def write_rows(path, rows):
    """Writes dicts with the columns of the data set as CSV. Gives back the path as text."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def read_rows(path):
    """Reads CSV into dicts. The four measurements become numbers; a missing value (`NA` or nothing) becomes None."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            absent = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
            if absent:
                raise TaskError(f"{path}:1: no column {', '.join(absent)}: the header must name {', '.join(COLUMNS)}")
            return [parse_row(f"{path}:{reader.line_num}", row) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{path}: cannot read it ({error}): give the path of a CSV file in UTF-8")


def parse_row(place, row):
    parsed = {column: None if row[column] in (None, "", "NA") else row[column] for column in COLUMNS}
    if parsed["species"] not in SPECIES:
        raise TaskError(f"{place}: species is {row['species']!r}: it must be one of {', '.join(SPECIES)}")
    for feature in FEATURES:
        if parsed[feature] is not None:
            parsed[feature] = parse_number(f"{place}: {feature}", parsed[feature])
    return parsed


def parse_number(place, words):
    try:
        number = float(words)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TaskError(f"{place} is {words!r}: it must be a number, or NA if it is missing")
    return number


def features_and_labels(rows):
    """The measurements and the species of each row, as two lists."""
    return [[row[feature] for feature in FEATURES] for row in rows], [row["species"] for row in rows]

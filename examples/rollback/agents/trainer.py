"""The agents of this example, in one script: what to do is the action named in the envelope.

The model is a softmax regression in plain Python: which of three species is a penguin, judged by four measurements?
"""
import csv
import json
import math
import os
import sys
from pathlib import Path

RUN_DIR = Path(os.environ["ORCHESTRATOR_RUN_DIR"])
CHECKPOINT = Path(os.environ["ORCHESTRATOR_CHECKPOINT_DIR"]) / "checkpoint.json"
SCOREBOARD = RUN_DIR / "scoreboard.json"
FEATURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
SPECIES = ["Adelie", "Chinstrap", "Gentoo"]


def prepare(params):
    """Splits the complete rows: every fourth is kept for the test. Measurements are scaled by what the other rows say."""
    with open(params["data"], newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(row[name] not in ("", "NA") for name in FEATURES)]
    points = [([float(row[name]) for name in FEATURES], SPECIES.index(row["species"])) for row in rows]
    test, training = points[::4], [point for index, point in enumerate(points) if index % 4]
    columns = list(zip(*(values for values, _ in training)))
    means = [sum(column) / len(column) for column in columns]
    spreads = [math.sqrt(sum((x - m) ** 2 for x in column) / len(column)) for column, m in zip(columns, means)]
    scaled = lambda part: [([(x - m) / s for x, m, s in zip(values, means, spreads)], label) for values, label in part]
    write(RUN_DIR / "split.json", {"training": scaled(training), "test": scaled(test)})
    print(f"{len(training)} penguins to learn from, {len(test)} to be tested with")
    return {"split": "split.json", "training": len(training), "test": len(test)}


def train(params):
    """Gradient descent for at most `rounds` more rounds. After each, what has been learned is kept as a checkpoint: the next
    attempt, whatever made it necessary, goes on from there."""
    points = read(params["split"])["training"]
    model = {"rounds": 0, "weights": [[0.0] * (len(FEATURES) + 1) for _ in SPECIES]}
    if CHECKPOINT.exists():
        model = json.loads(CHECKPOINT.read_text(encoding="utf-8"))
        print(f"goes on from the checkpoint: {model['rounds']} rounds are done")
    else:
        print("there is no checkpoint: begins at round 0")
    first = model["rounds"]
    for _ in range(params["rounds"]):
        loss = one_round(model["weights"], points, params["learning_rate"])
        model["rounds"] += 1
        write(CHECKPOINT, model)
        print(f"round {model['rounds']}: loss {loss:.4f}")
    write(RUN_DIR / "model.json", model)
    return {"model": "model.json", "from_round": first, "to_round": model["rounds"]}


def one_round(weights, points, rate):
    steps = [[0.0] * len(row) for row in weights]
    loss = 0.0
    for values, label in points:
        inputs = [1.0] + values
        chances = softmax([sum(w * x for w, x in zip(row, inputs)) for row in weights])
        loss -= math.log(max(chances[label], 1e-15))
        for species, step in enumerate(steps):
            error = chances[species] - (species == label)
            for index, value in enumerate(inputs):
                step[index] += error * value
    for row, step in zip(weights, steps):
        for index, value in enumerate(step):
            row[index] -= rate * value / len(points)
    return loss / len(points)


def evaluate(params):
    """Tests the model with penguins it has never seen, and puts its score on the board."""
    model = read(params["model"])
    points = read(params["split"])["test"]
    guess = lambda values: max(
        range(len(SPECIES)), key=lambda species: sum(w * x for w, x in zip(model["weights"][species], [1.0] + values))
    )
    right = sum(guess(values) == label for values, label in points)
    accuracy = round(right / len(points), 4)
    entry = {"rounds": model["rounds"], "accuracy": accuracy}
    write(SCOREBOARD, scores() + [entry])
    print(f"after {model['rounds']} rounds {right} of {len(points)} are right: {accuracy:.1%}")
    return entry


def strike(params):
    """Undoes `evaluate`: a score that is taken back must not stay on the board."""
    left = [entry for entry in scores() if entry != params["entry"]]
    write(SCOREBOARD, left)
    print(f"struck {json.dumps(params['entry'])} from the board, {len(left)} left")
    return {"left": len(left)}


def check(params):
    """Fails a model that is not good enough."""
    if params["accuracy"] < params["threshold"]:
        fail("validation", f"the accuracy of {params['accuracy']:.1%} is below the threshold of {params['threshold']:.1%}")
    print(f"{params['accuracy']:.1%} is good enough; on the board: {json.dumps(scores())}")
    return {"accuracy": params["accuracy"], "scores": len(scores())}


def scores():
    return json.loads(SCOREBOARD.read_text(encoding="utf-8")) if SCOREBOARD.exists() else []


def softmax(values):
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def read(name):
    """A file that an earlier task has left in the folder that all tasks of the run share."""
    return json.loads((RUN_DIR / name).read_text(encoding="utf-8"))


def write(path, value):
    """The whole file or nothing."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    os.replace(part, path)


def fail(kind, message):
    write(Path(os.environ["ORCHESTRATOR_OUTPUT"]), {"error": {"class": kind, "message": message}})
    sys.exit(message)


if __name__ == "__main__":
    ACTIONS = {"prepare": prepare, "train": train, "evaluate": evaluate, "strike_score": strike, "check": check}
    task = json.load(sys.stdin)
    write(Path(os.environ["ORCHESTRATOR_OUTPUT"]), ACTIONS[task["action"]](task["params"]))

"""Trains one classifier: picks its setting by cross-validation on the training rows, then fits it to all of them."""
import hashlib
import json
import random

from common import SPECIES, TaskError, features_and_labels, log, read_json, read_rows, run_agent, write_json
from models import KINDS, count_right


def train_model(task):
    name = task.param("model", str, lambda m: m in KINDS, f"one of {', '.join(KINDS)}")
    kind = KINDS[name]
    task.params.setdefault("candidates", kind.usual)
    candidates = task.param(
        "candidates", list, lambda c: c and all(map(kind.valid, c)), f"a list of {kind.wanted}: each {kind.setting} to try"
    )
    folds = task.param("folds", int, lambda f: f >= 2, "a whole number from 2")
    seed = task.param("seed", int)
    options = training_options(task) if name == "logistic" else {}
    rows, labels = features_and_labels(read_rows(task.param("train", str)))
    if min(labels.count(species) for species in SPECIES) < folds:
        raise TaskError(f"params.folds is {folds}: the rarest species has fewer training rows than that; choose fewer folds")

    checkpoint = Checkpoint(task, [rows, labels])
    right = checkpoint.state["right"]
    for value in candidates[len(right):]:
        right.append(cross_validate(kind, name, rows, labels, value, options, folds, seed))
        checkpoint.save()
        log(f"{kind.setting} = {value}: {right[-1]} of {len(rows)} right in {folds}-fold cross-validation")
    best = right.index(max(right))
    log(f"choose {kind.setting} = {candidates[best]} and fit it to all {len(rows)} training rows")

    def on_epoch(fitted):
        done = len(fitted["losses"])
        if done % options["checkpoint_every"] == 0 or done == options["epochs"]:
            checkpoint.state["fitted"] = fitted
            checkpoint.save()
            log(f"epoch {done} of {options['epochs']}: loss {fitted['losses'][-1]:.5f}")

    progress = {"start": checkpoint.state["fitted"], "on_epoch": on_epoch}
    fitted = kind.fit(rows, labels, candidates[best], {**options, **progress})
    model = {
        "kind": name,
        "setting": kind.setting,
        "value": candidates[best],
        "candidates": candidates,
        "folds": folds,
        "cv_accuracies": [count / len(rows) for count in right],
        "cv_accuracy": right[best] / len(rows),
        "train_accuracy": count_right(name, fitted, rows, labels) / len(rows),
        "options": options,
        "fitted": fitted,
    }
    return {
        "model": write_json(task.run_dir / f"model-{name}.json", model),
        kind.setting: candidates[best],
        "cv_accuracy": round(model["cv_accuracy"], 4),
    }


def training_options(task):
    whole = "a whole number above 0"
    return {
        "epochs": task.param("epochs", int, lambda n: n > 0, whole),
        "learning_rate": task.param("learning_rate", float, lambda r: r > 0, "a number above 0"),
        "checkpoint_every": task.param("checkpoint_every", int, lambda n: n > 0, whole),
    }


def cross_validate(kind, name, rows, labels, value, options, folds, seed):
    """How many rows are named right by a model fitted to the other folds. Each species is dealt evenly to the folds."""
    fold_of = [0] * len(rows)
    shuffler = random.Random(seed)
    for species in SPECIES:
        indices = [i for i, label in enumerate(labels) if label == species]
        shuffler.shuffle(indices)
        for position, index in enumerate(indices):
            fold_of[index] = position % folds
    right = 0
    for fold in range(folds):
        inside = [i for i in range(len(rows)) if fold_of[i] != fold]
        outside = [i for i in range(len(rows)) if fold_of[i] == fold]
        fitted = kind.fit([rows[i] for i in inside], [labels[i] for i in inside], value, options)
        right += count_right(name, fitted, [rows[i] for i in outside], [labels[i] for i in outside])
    return right


class Checkpoint:
    """What training has done so far, kept on disk: a later attempt goes on from there, if it has the same params and data."""

    def __init__(self, task, data):
        self.path = task.checkpoint_dir / "training.json"
        content = json.dumps([task.params, data], sort_keys=True)
        self.state = {"made_from": hashlib.sha256(content.encode()).hexdigest(), "right": [], "fitted": None}
        if not self.path.exists():
            return
        found = read_json(self.path)
        if found["made_from"] != self.state["made_from"]:
            log("the checkpoint is of other params or data: start from the beginning")
            return
        self.state = found
        epochs = len(found["fitted"]["losses"]) if found["fitted"] else 0
        log(f"go on from the checkpoint: {len(found['right'])} candidates tried, {epochs} epochs of the final fit done")

    def save(self):
        write_json(self.path, self.state)


run_agent({"train_model": train_model})

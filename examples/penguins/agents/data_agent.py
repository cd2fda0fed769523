"""Loads, cleans and splits the data set."""
import random

from common import FEATURES, SPECIES, TaskError, log, read_rows, run_agent, write_json, write_rows


def load_dataset(task):
    rows = read_rows(task.param("path", str))
    if not rows:
        raise TaskError(f"{task.params['path']}: the file has a header but no rows: give a file with data")
    log(f"read {len(rows)} rows from {task.params['path']}")
    return {"path": write_rows(task.run_dir / "raw.csv", rows), "rows": len(rows), "source": task.params["path"]}


def clean_data(task):
    """Drops what a model cannot use: rows without a measurement, and exact repeats of an earlier row."""
    rows = read_rows(task.param("path", str))
    kept, seen, incomplete, repeated = [], set(), 0, 0
    for row in rows:
        key = tuple(row.values())
        if any(row[feature] is None for feature in FEATURES):
            incomplete += 1
        elif key in seen:
            repeated += 1
        else:
            seen.add(key)
            kept.append(row)
    log(f"kept {len(kept)} of {len(rows)} rows; dropped {incomplete} without a measurement and {repeated} repeats")
    return {
        "path": write_rows(task.run_dir / "clean.csv", kept),
        "rows": len(kept),
        "dropped_incomplete": incomplete,
        "dropped_repeats": repeated,
    }


def split_data(task):
    """Sets test rows aside, the same share of each species (stratified). Nobody looks at them before the evaluation."""
    rows = read_rows(task.param("path", str))
    fraction = task.param("test_fraction", float, lambda f: 0.0 < f < 1.0, "a number between 0 and 1, such as 0.3")
    shuffler = random.Random(task.param("seed", int))
    train, test, counts = [], [], {}
    for species in SPECIES:
        group = [row for row in rows if row["species"] == species]
        size = round(len(group) * fraction)
        if size == 0 or size == len(group):
            raise TaskError(
                f"params.test_fraction is {fraction}: of {len(group)} {species} rows it puts {size} into the test set, "
                "but training and test both need one of each species; choose a value nearer to 0.3, or give more data"
            )
        shuffler.shuffle(group)
        test += group[:size]
        train += group[size:]
        counts[species] = {"train": len(group) - size, "test": size}
        log(f"{species}: {len(group) - size} rows to train on, {size} to test on")
    return {
        "train": write_rows(task.run_dir / "train.csv", train),
        "test": write_rows(task.run_dir / "test.csv", test),
        "train_rows": len(train),
        "test_rows": len(test),
        "counts": write_json(task.run_dir / "split.json", counts),
    }


run_agent({"load_dataset": load_dataset, "clean_data": clean_data, "split_data": split_data})

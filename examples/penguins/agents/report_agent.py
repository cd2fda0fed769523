"""Writes the report: one HTML file with everything in it, to open in any browser or to send to somebody."""
from html import escape
from pathlib import Path

import data_charts
import model_charts
from common import COLUMNS, FEATURES, NAMES, SPECIES, log, read_json, read_rows, run_agent
from page import card, named, number, section, table
from svg import percent


def generate_report(task):
    rows = read_rows(task.param("data", str))
    profile = read_json(task.param("profile", str))
    evaluation = read_json(task.param("evaluation", str))
    split = read_json(task.param("split", str))
    cleaning = task.param("cleaning", dict)
    winner = next(model for model in evaluation["models"] if model["kind"] == evaluation["winner"])
    body = "".join([
        summary(evaluation, winner, cleaning, profile["rows"]),
        data_section(rows, profile),
        measurements_section(rows, profile),
        preparation_section(cleaning, split),
        models_section(evaluation, winner),
        errors_section(evaluation),
        insight_section(evaluation),
        sources(task, profile["rows"]),
    ])
    css = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Penguins</title><style>{css}</style>'
    report = task.run_dir / "report.html"
    report.write_text(f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n', encoding="utf-8")
    log(f"the report is in {report}")
    return {"report": str(report), "winner": winner["kind"], "test_accuracy": round(winner["accuracy"], 4)}


def summary(evaluation, winner, cleaning, total):
    tested = len(evaluation["test"])
    low, high = winner["interval"]
    tiles = [
        (total, "penguins in the data"),
        (cleaning["rows"], "of them with all measurements"),
        (f"{evaluation['train_rows']} / {tested}", "to train on / to test on"),
        (percent(winner["accuracy"]), f"right by {winner['title'].lower()}"),
        (percent(evaluation["baseline"]), f"right by always saying {evaluation['baseline_species']}"),
    ]
    shown = "".join(f'<div class="tile"><b>{value}</b><span>{escape(words)}</span></div>' for value, words in tiles)
    return (
        '<header><div class="wide"><div class="eyebrow">Palmer penguins: an example of Master Orchestrator</div><h1>Which penguin is it?</h1>'
        f"<p>Told only the size of bill and flipper and the body mass, <strong>{winner['title'].lower()}</strong> names the species of "
        f"<strong>{winner['correct']} of {tested}</strong> penguins that it has never seen: {percent(winner['accuracy'])}, and with "
        f"95 % confidence between {percent(low)} and {percent(high)}.</p></div></header>"
        f'<main class="wide"><div class="tiles">{shown}</div>'
    )


def data_section(rows, profile):
    lines = []
    for name in COLUMNS:
        column = profile["columns"][name]
        if column["kind"] == "number":
            middle = f"mean {column['mean']:.1f}, standard deviation {column['deviation']:.1f}"
            content = f"{column['min']:g} to {column['max']:g}, {middle}"
        else:
            content = ", ".join(f"{value} ({count})" for value, count in column["counts"].items())
        figures = [number(column["distinct"]), number(column["missing"])]
        lines.append([f"<code>{name}</code>", column["kind"], *figures, escape(content)])
    islands = "; ".join(
        f"{species} {'only ' if len(homes) == 1 else ''}on {', '.join(homes)}"
        for species in SPECIES
        for homes in [[island for island, counts in profile["islands"].items() if counts.get(species)]]
    )
    return (
        section("The data", f"{profile['rows']} adult penguins, {len(COLUMNS)} columns. The models see the four measurements only.")
        + card(table(["Column", "Kind", "#Distinct", "#Missing", "Content"], lines))
        + card(
            data_charts.missing_map(rows), "Missing values",
            "Each row of the file is a thin slice from left to right; red where a value is missing.",
        )
        + '<div class="two">'
        + card(data_charts.islands(profile["islands"]), "Where they live", f"{islands}. The models are not told the island.")
        + card(data_charts.correlation(profile["correlation"]), "Correlation", correlation_note(profile))
        + "</div>"
    )


def correlation_note(profile):
    depth, mass = FEATURES.index("bill_depth_mm"), FEATURES.index("body_mass_g")
    overall = profile["correlation"][depth][mass]
    within = {species: matrix[depth][mass] for species, matrix in profile["correlation_by_species"].items()}
    note = "Pearson's r over all species together."
    if overall < 0 < min(within.values()):
        each = ", ".join(f"{species} {r:+.2f}" for species, r in within.items())
        note += f" Simpson's paradox: bill depth falls with body mass ({overall:+.2f}), yet within each species it grows ({each})."
    return note


def measurements_section(rows, profile):
    charts = "".join(card(data_charts.density(rows, feature)) for feature in FEATURES)
    spreads = [
        [NAMES[feature]] + [number(f"{s['mean']:.1f} ± {s['deviation']:.1f}") for s in profile["by_species"][feature].values()]
        for feature in FEATURES
    ]
    return (
        section("Measurements by species", "How each measurement spreads in each species, and what two of them show together.")
        + f'<div class="two">{charts}</div><div class="two">'
        + card(data_charts.scatter(rows, "bill_length_mm", "bill_depth_mm"))
        + card(data_charts.scatter(rows, "flipper_length_mm", "body_mass_g"))
        + "</div>"
        + card(table(["Mean ± standard deviation"] + ["#" + species for species in SPECIES], spreads))
    )


def preparation_section(cleaning, split):
    lines = [[named(species), number(split[species]["train"]), number(split[species]["test"])] for species in SPECIES]
    words = (
        f"{cleaning['dropped_incomplete']} rows without a measurement and {cleaning['dropped_repeats']} exact repeats were dropped. "
        "The test rows were drawn at random, the same share of each species, before any model saw the data; even the means and "
        "deviations that scale the measurements come from training rows only."
    )
    return section("Cleaning and split", words) + card(table(["Species", "#Training rows", "#Test rows"], lines))


def models_section(evaluation, winner):
    models = evaluation["models"]
    lines = []
    for model in models:
        settings = {model["setting"]: model["value"], **model["options"]}
        badge = ' <span class="badge">winner</span>' if model is winner else ""
        lines.append([
            f"<b>{model['title']}</b>{badge}",
            " ".join(f"<code>{escape(f'{key} = {value}')}</code>" for key, value in settings.items() if key != "checkpoint_every"),
            number(percent(model["train_accuracy"])), number(percent(model["cv_accuracy"])), number(percent(model["accuracy"])),
            number(f"{model['interval'][0] * 100:.1f} to {model['interval'][1] * 100:.1f}"), number(f"{model['macro_f1']:.3f}"),
        ])
    overlap = max(m["interval"][0] for m in models) <= min(m["interval"][1] for m in models)
    caution = "The intervals overlap: on so few test rows no model is shown to be better than another." if overlap else ""
    words = (
        f"Three classifiers, each tuned by {winner['folds']}-fold cross-validation on the training rows, which also chooses the winner. "
        "The test rows are used once, for the figures here."
    )
    head = ["Model", "Hyperparameters", "#Training", "#Cross-validation", "#Test", "#95 % interval", "#Macro F1"]
    tuning = "".join(card(model_charts.tuning(model), f"Tuning: {model['title']}") for model in models)
    losses = "".join(card(model_charts.loss_curve(m["losses"]), f"Training of {m['title'].lower()}") for m in models if m["losses"])
    return (
        section("Three models", words)
        + card(model_charts.comparison(models, winner["kind"], evaluation["baseline"]), "Accuracy", caution)
        + card(table(head, lines)) + f'<div class="three">{tuning}</div>' + losses
    )


def errors_section(evaluation):
    models = evaluation["models"]
    matrices = "".join(card(model_charts.confusion(model), model["title"]) for model in models)
    lines = []
    for species in SPECIES:
        for model in models:
            figures = model["classes"][species]
            shown = [number(f"{figures[key]:.3f}") for key in ("precision", "recall", "f1")]
            lines.append([named(species), model["title"], *shown, number(figures["rows"])])
    missed = []
    for i, row in enumerate(evaluation["test"]):
        guesses = [model["predicted"][i] for model in models]
        if any(guess != row["species"] for guess in guesses):
            cells = [named(g) if g == row["species"] else f'<span class="wrong">{g}</span>' for g in guesses]
            sizes = [number(f"{row[feature]:g}") for feature in FEATURES]
            missed.append([named(row["species"]), escape(row["island"] or ""), *sizes, *cells])
    titles = [model["title"] for model in models]
    words = f"{len(missed)} of the {len(evaluation['test'])} test penguins were misnamed by at least one model."
    head = ["Species", "Island"] + [f"#{NAMES[feature]}" for feature in FEATURES] + titles
    missed_card = card(table(head, missed), "The penguins that were misnamed") if missed else ""
    return (
        section("Right and wrong", words)
        + f'<div class="three">{matrices}</div>'
        + card(table(["Species", "Model", "#Precision", "#Recall", "#F1", "#Test rows"], lines), "By species")
        + missed_card
    )


def insight_section(evaluation):
    models = evaluation["models"]
    maps = "".join(card(model_charts.decision_map(m, evaluation["map"], evaluation["test"]), m["title"]) for m in models)
    words = (
        "The colour of the ground is the species the model would name there, for a bird whose other two measurements are those of "
        f"its {evaluation['map']['neighbours']} nearest training penguins. Marks are the test penguins; a red ring is a wrong name."
    )
    return (
        section("What the models see", words)
        + f'<div class="three">{maps}</div>'
        + card(
            model_charts.importance(models), "Which measurement matters",
            "Accuracy lost, in percentage points, when one measurement is shuffled among the test rows (permutation importance, "
            f"mean of {evaluation['importance_repeats']} repeats).",
        )
    )


def sources(task, rows):
    return (
        "</main><footer><div class='wide'>Data: Palmer penguins, CC0 1.0. Gorman KB, Williams TD, Fraser WR (2014), PLoS ONE 9(3): "
        "e90081; Horst AM, Hill AP, Gorman KB (2020), palmerpenguins. "
        f"This report was made from {rows} rows of <code>{escape(task.param('source', str))}</code> by run <code>{escape(task.run_id)}</code>."
        "</div></footer>"
    )


run_agent({"generate_report": generate_report})

"""Pieces of an HTML page."""
from html import escape


def section(heading, words):
    return f"<h2>{escape(heading)}</h2><p>{escape(words)}</p>"


def card(content, heading="", note=""):
    top = f"<h3>{escape(heading)}</h3>" if heading else ""
    bottom = f"<p>{escape(note)}</p>" if note else ""
    return f'<div class="card">{top}{content}{bottom}</div>'


def table(head, lines):
    """A table; a column whose heading starts with # holds numbers, which line up on the right."""
    numeric = [' class="n"' if name.startswith("#") else "" for name in head]
    top = "".join(f"<th{kind}>{escape(name.lstrip('#'))}</th>" for name, kind in zip(head, numeric))
    body = "".join("<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(line, numeric)) + "</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def number(value):
    return escape(str(value))


def named(species):
    return f'<span class="{species}">{species}</span>'

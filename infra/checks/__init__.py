"""Rules about the templates that no linter knows: ``python -m unittest discover checks -t .`` in the folder above."""

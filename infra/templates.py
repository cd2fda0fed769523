"""Reads CloudFormation templates: short forms such as ``!Ref x`` become ``{"Ref": "x"}``."""

import json
import pathlib

import yaml

FOLDER = pathlib.Path(__file__).parent

# The stacks of this folder.
NAMES = ("template.yaml", "batch.yaml", "cache.yaml", "monitoring.yaml", "agent.yaml")


class Loader(yaml.SafeLoader):
    """YAML with the tags of CloudFormation. Dates stay texts: a template's version looks like one."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _function)


def load(name: str) -> dict:
    """A template of this folder."""
    return yaml.load((FOLDER / name).read_text(), Loader)


def of_type(template: dict, *kinds: str) -> dict:
    """Resources of these types, by logical id."""
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] in kinds}


def to_json(template: dict) -> str:
    """As CloudFormation takes it."""
    return json.dumps(template, separators=(",", ":"))

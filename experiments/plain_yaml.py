"""YAML that holds what it shows: no alias, little nesting, no long text.

An alias (*name) can make a value contain itself, or a few lines stand for gigabytes; so there is none.
"""

import yaml
from jsonargparse import get_loader, set_loader

MODE = "plain_yaml"
LONGEST = 2**20  # characters
DEEPEST = 20  # lists and mappings within one another


def load(text):
    """What the text stands for; raises YAMLError for what is no YAML or not plain."""
    if len(text) > LONGEST:
        raise yaml.YAMLError(f"{len(text)} characters of YAML, expected at most {LONGEST}")
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1
            raise yaml.YAMLError(f"line {line} has the alias *{event.anchor}: write its value out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1
            raise yaml.YAMLError(f"line {line} is nested more than {DEEPEST} deep")
    return get_loader("yaml")(text)


def dump(value):
    """YAML that `load` takes; raises ValueError when it would be too long."""
    text = yaml.dump(value, Dumper=_Plain, sort_keys=False)
    if len(text) > LONGEST:
        raise ValueError(f"the options are {len(text)} characters of YAML, expected at most {LONGEST}")
    return text


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


set_loader(MODE, load, exceptions=(yaml.YAMLError,))

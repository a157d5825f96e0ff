"""A safe subset of YAML: no aliases, limited nesting, limited length.

With aliases (*name) a value can contain itself, and a few lines can expand to gigabytes.
"""

import yaml
from jsonargparse import get_loader, set_loader

MODE = "plain_yaml"
LONGEST = 2**20  # characters
DEEPEST = 20  # lists and mappings within one another


def load(text):
    """Return the value of the text; raise YAMLError if it is not YAML or not in the subset."""
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
    """Return the value as YAML that `load` accepts; raise ValueError if it would be too long."""
    text = yaml.dump(value, Dumper=_Plain, sort_keys=False)
    if len(text) > LONGEST:
        raise ValueError(f"the options are {len(text)} characters of YAML, expected at most {LONGEST}")
    return text


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


set_loader(MODE, load, exceptions=(yaml.YAMLError,))

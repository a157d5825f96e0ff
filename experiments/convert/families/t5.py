"""The tables of T5 (arXiv 1910.10683), mT5, UMT5 and MPNet (arXiv 2004.09297); the rest is carried.

Sizes: R buckets, H heads. The buckets are in transformers' order, which is this project's.
"""

from ..rules import Family, Place

FORMATS = ("transformers", "here")
TABLE = "rel_pos.relative_position_bias_table"
OLD = "relative_attention_bias.weight"


def table(prefix):
    return Place(FORMATS, prefix).rule("R H", TABLE, transformers=OLD, some=True, tells=True)


def t5():
    """Return the rules of encoder and decoder; T5 has a table in block 0, UMT5 one in each."""
    return tuple(
        rule
        for whole in ("", "transformer.")  # around the stacks, in models for classification
        for stack in ("encoder", "decoder")
        for rule in table(f"{whole}{stack}.block.{{i}}.layer.0.SelfAttention.")
    )


def mpnet():
    """Return the rules of the one table, of an MPNetModel and of the models around it."""
    return (*table("encoder."), *table("mpnet.encoder."))


FAMILIES = (
    Family("t5", FORMATS, t5(), carries=True),
    Family("mpnet", FORMATS, mpnet(), carries=True),
)

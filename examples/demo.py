"""Relative position bias in pictures, in 1-D and 2-D, drawn and trained with NumPy alone.

    python -m examples.demo [--out examples/pictures]

Trains a small vision transformer on scikit-learn's digits with each of five schemes, then draws the
table, index and bias of its last layer. alibi's biases are fixed and are drawn without training. All
randomness is seeded.
"""

import argparse
from pathlib import Path

import numpy as np

from experiments import plots
from experiments.data import load_data
from experiments.data.batches import batches
from experiments.pictures import patch_bias, write_picture
from numpy_ref import Trainer, VisionTransformer

GRID = (4, 4)  # 8x8 pixels in patches of 2x2: a table of 7x7 offsets
EPOCHS, BATCH_SIZE = 8, 64
QUERY, KEY = 9, 1
LAYER = "blocks.1.attn.rel_pos"
HERO_SUBTITLE = (
    "red: attend more, blue: attend less (a head of a vision transformer trained on handwritten digits)"
)
SEEN = {
    "hero.png": "table, index, bias and one query's bias on the grid, for the head that varies most",
    "1d_overview.png": "each diagonal of the index reads one row; offsets near 0 occur most often",
    "2d_overview.png": "the index in 2-D: each block has one Δy, each diagonal in it one Δx",
    "2d_bias.png": "red offsets get more attention, blue ones less; the heads differ",
    "before_after.png": "the random start is nearly zero on the scale of the trained bias",
    "schemes.png": "1d, t5 and alibi read the grid as one row; 2d and log_cpb use both axes",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("examples/pictures"), help="folder of the pictures"
    )
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    dataset = load_data("digits")
    before = build("2d").rel_pos_biases()[LAYER]()
    trained = {}
    for bias_type in ("1d", "2d", "t5", "alibi", "log_cpb"):
        model = build(bias_type)
        trained[bias_type] = model.rel_pos_biases()[LAYER]
        if list(trained[bias_type].parameters()):  # alibi's slopes are fixed
            trainer = train(model, dataset)
            print(f"{bias_type:8} {accuracy(trainer, dataset.test):.1%} of the test digits correct")
    for name, figure in pictures(before, trained).items():
        print(f"{write_picture(figure, out / name)}: {SEEN[name]}")


def build(bias_type):
    """Return an untrained ViT with two layers, four heads and mean pooling, always from seed 0."""
    return VisionTransformer(
        img_size=8,
        patch_size=2,
        global_pool="avg",
        embed_dim=64,
        depth=2,
        num_heads=4,
        rpb_kwargs={"bias_type": bias_type},
        generator=np.random.default_rng(0),
    )


def train(model, dataset):
    steps = -(-len(dataset.train.labels) // BATCH_SIZE)
    trainer = Trainer(model, lr=2e-3, total_steps=EPOCHS * steps, warmup_steps=steps, table_lr_factor=20)
    for epoch in range(EPOCHS):
        for images, labels in batches(dataset.train, BATCH_SIZE, seed=0, epoch=epoch):
            trainer.train_step(images, labels)
    return trainer


def accuracy(trainer, split):
    return np.mean(trainer.predict(split.images).argmax(-1) == split.labels)


def pictures(before, trained):
    """Return {file: Figure}; before: the untrained 2-D bias (H, L, L); trained: {bias_type: scheme}."""
    biases = {bias_type: patch_bias(scheme, 0) for bias_type, scheme in trained.items()}
    one, two = trained["1d"], trained["2d"]
    most_varied = int(two.table().std(0).argmax())
    return {
        "hero.png": plots.hero(two.index, two.table(), GRID, QUERY, KEY, most_varied, HERO_SUBTITLE),
        "1d_overview.png": plots.overview(
            one.index,
            one.table(),
            one.window_size,
            QUERY,
            "Relative position bias in 1-D: 16 tokens in a row",
        ),
        "2d_overview.png": plots.overview(
            two.index, two.table(), GRID, QUERY, "Relative position bias in 2-D: 4×4 patches"
        ),
        "2d_bias.png": plots.bias_over_offsets(
            biases["2d"], GRID, "2-D bias after training, over the offset query − key"
        ),
        "before_after.png": plots.before_after(before, biases["2d"], GRID),
        "schemes.png": plots.compare_schemes(biases, GRID),
    }


if __name__ == "__main__":
    main()

"""Experiments with one twin at a time: config, data, training, evaluation, checkpoints, pictures."""

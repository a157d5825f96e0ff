"""What drives one twin: config, data, training, evaluation, checkpoints, pictures."""

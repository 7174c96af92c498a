"""The files of one training run."""

"""Judging pixels: counts, curves, and the evaluation of a checkpoint on a data set."""

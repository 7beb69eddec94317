"""Probability to road mask, and what is measured in masks."""

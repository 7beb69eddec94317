"""Mask to skeleton: thinning, and the skeleton's pixels."""

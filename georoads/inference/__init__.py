"""Probability from pictures: the tile plan, blending, runtimes, and the probability raster."""

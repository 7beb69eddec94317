"""Probability raster to road network: mask, skeleton, graph, lines.

In: round(254 p) of a working grid, read block by block. Out: a ``RoadNetwork``. ``vectorize`` is the method
from end to end; each sub-package is one stage of it and imports only those before it. Needs numpy, numba,
scipy, OpenCV and shapely only.
"""

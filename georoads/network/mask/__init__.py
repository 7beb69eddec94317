"""Probability raster to road mask.

In: round(254 p), read block by block. Out: a ``RoadMask`` (road and nodata as runs), and the anchors, pixels
where roads leave the scene. ``measure`` answers how wide roads are and how far pixels lie from each other.
"""

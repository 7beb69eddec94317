"""Graph to road network.

In: the cleaned graph. Out: a ``RoadNetwork``: lines with straightened junctions, smoothed, simplified,
measured on the ground, numbered in reading order.
"""

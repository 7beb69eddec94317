"""Skeleton to road graph.

In: the skeleton, the mask that it is of, and p on it. Out: a ``Graph`` of nodes and pixel paths, first as
traced, then cleaned: without spurs and islands, gaps bridged, wide crossings one node.
"""

"""Skeleton to road graph: tracing, bridging, cleaning."""

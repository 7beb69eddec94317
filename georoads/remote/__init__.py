"""Imagery by address: fetched through one door of ours into local GeoTIFFs, then scenes like any other."""

"""georoads: scenes in, road networks out."""

__version__ = "0.1.0"

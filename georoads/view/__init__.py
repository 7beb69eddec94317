"""Road layers to look at without a GIS: a map in one HTML page, a preview as PNG."""

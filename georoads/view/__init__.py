"""Road layers to look at: a map in one HTML page, as a QGIS project, as a picture."""

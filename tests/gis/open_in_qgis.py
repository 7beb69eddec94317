"""Runs under Debian's Python: opens a GeoPackage in QGIS without a window and says what QGIS makes of it.

usage: open_in_qgis.py FILE.gpkg REPORT.json LAYERS [PICTURE.png CENTRE_X CENTRE_Y SCALE BACKGROUND]...

LAYERS are names with commas between them; the first lies on top.
"""

import json
import sys
from pathlib import Path

from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

WIDTH, HEIGHT, DPI = 900, 700, 96


def describe(layer):
    fields = layer.fields()
    return {
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "features": layer.featureCount(),
        "fields": [(f.name(), f.typeName()) for f in fields],
        "aliases": [layer.attributeDisplayName(i) for i in range(len(fields))],
        "renderer": layer.renderer().type(),
        "symbols": len(layer.renderer().legendSymbolItems()),
        "legend": [item.label() for item in layer.renderer().legendSymbolItems()],
        "scale_dependent": layer.hasScaleBasedVisibility(),
    }


def render(layers, target, x, y, scale, background):
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[-1].crs())
    settings.setOutputSize(QSize(WIDTH, HEIGHT))
    settings.setOutputDpi(DPI)
    settings.setBackgroundColor(QColor(background))
    half_x = WIDTH / DPI * 0.0254 * scale / 2
    half_y = half_x * HEIGHT / WIDTH
    settings.setExtent(QgsRectangle(x - half_x, y - half_y, x + half_x, y + half_y))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(target)


def main():
    file, report, names, *pictures = sys.argv[1:]
    app = QgsApplication([], False)
    app.initQgis()
    messages = []
    app.messageLog().messageReceived.connect(lambda text, tag, level: messages.append(f"{tag}: {text}"))
    layers = [QgsVectorLayer(f"{file}|layername={name}", name, "ogr") for name in names.split(",")]
    found = {layer.name(): describe(layer) for layer in layers}
    for i in range(0, len(pictures), 5):
        target, x, y, scale, background = pictures[i : i + 5]
        render(layers, target, float(x), float(y), float(scale), background)
    app.processEvents()
    found["messages"] = messages
    Path(report).write_text(json.dumps(found), encoding="utf-8")
    del layers
    app.exitQgis()


main()

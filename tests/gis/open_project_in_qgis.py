"""Runs under Debian's Python: opens a project in QGIS without a window and says what QGIS makes of it.

usage: open_project_in_qgis.py PROJECT.qgz REPORT.json PICTURE.png
"""

import json
import sys
from pathlib import Path

from qgis.core import Qgis, QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsProject
from qgis.PyQt.QtCore import QSize


def describe(layer):
    found = {"name": layer.name(), "valid": layer.isValid(), "crs": layer.crs().authid()}
    if not layer.isValid():
        return {**found, "source": layer.source()}
    found["renderer"] = layer.renderer().type()
    if hasattr(layer, "featureCount"):
        fields = range(len(layer.fields()))
        found |= {"features": layer.featureCount(), "scale_dependent": layer.hasScaleBasedVisibility()}
        found["aliases"] = [layer.attributeDisplayName(i) for i in fields]
        found["legend"] = [item.label() for item in layer.renderer().legendSymbolItems()]
    return found


def describe_project(project, settings):
    extent = settings.extent()
    return {
        "error": project.error(),
        "title": project.title(),
        "crs": project.crs().authid(),
        "ellipsoid": project.ellipsoid(),
        "canvas_crs": settings.destinationCrs().authid(),
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "expanded": [node.isExpanded() for node in project.layerTreeRoot().findLayers()],
    }


def draw(settings, picture):
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(picture)
    return [f"{e.layerID}: {e.message}" for e in job.errors()]


def main():
    file, report, picture = sys.argv[1:]
    app = QgsApplication([], False)
    app.initQgis()
    project, settings, messages = QgsProject.instance(), QgsMapSettings(), []
    versions, canvases = [], []
    app.messageLog().messageReceived.connect(lambda text, tag, level: messages.append(f"{tag}: {text}"))
    project.readVersionMismatchOccurred.connect(lambda version: versions.append(version))
    project.loadingLayerMessageReceived.connect(lambda name, said: messages.append(f"{name}: {said}"))

    def canvas(document):
        nodes = document.elementsByTagName("mapcanvas")
        canvases.extend(nodes.at(i).attributes().namedItem("name").nodeValue() for i in range(nodes.count()))
        if nodes.count():
            settings.readXml(nodes.at(0))

    project.readProject.connect(canvas)
    read = project.read(file)
    ordered = project.layerTreeRoot().layerOrder()
    found = {"read": read, "version": Qgis.version(), "other_versions": versions, "canvases": canvases}
    found |= describe_project(project, settings)
    found["layers"] = [describe(layer) for layer in ordered]
    settings.setLayers(ordered)
    settings.setOutputSize(QSize(800, 800))
    settings.setEllipsoid(project.ellipsoid())
    errors = draw(settings, picture)
    app.processEvents()
    found["messages"] = messages + errors
    Path(report).write_text(json.dumps(found), encoding="utf-8")
    del ordered
    project.clear()
    app.exitQgis()


main()

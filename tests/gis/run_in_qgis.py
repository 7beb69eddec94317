"""Runs under Debian's Python: runs algorithms of the plugin in QGIS without a window, as its toolbox would.

usage: run_in_qgis.py FOLDER_OF_THE_PLUGIN JOBS.json REPORT.json PICTURE.png
"""

import json
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterDefinition,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QSize

sys.path.append("/usr/share/qgis/python/plugins")
ADVANCED = QgsProcessingParameterDefinition.FlagAdvanced
FIRST = "the first result"
"""In the parameters of a later job."""


class Heard(QgsProcessingFeedback):
    """What a run says."""

    def __init__(self):
        super().__init__(False)
        self.lines, self.shares = [], []
        self.progressChanged.connect(self.shares.append)

    def pushInfo(self, text):  # noqa: N802  # as QGIS calls it
        self.lines.append(text)

    pushConsoleInfo = pushCommandInfo = setProgressText = pushInfo  # noqa: N815


def described(algorithm):
    """What its dialog shows."""
    definitions = algorithm.parameterDefinitions()
    return {
        "name": algorithm.displayName(),
        "help": algorithm.shortHelpString(),
        "shown": [d.name() for d in definitions if not d.flags() & ADVANCED],
        "types": {d.name(): d.type() for d in definitions},
        "silent": [d.name() for d in definitions if not d.help()],
    }


def layer_found(node):
    """What came into the project."""
    layer = node.layer()
    found = {"name": layer.name(), "valid": layer.isValid(), "crs": layer.crs().authid()}
    return {**found, "renderer": layer.renderer().type(), "features": layer.featureCount()}


def done(job, load, first):
    """Run one job in the project, load what it made, and say what came of it."""
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(job["algorithm"])
    context, heard = QgsProcessingContext(), Heard()
    context.setProject(QgsProject.instance())
    context.setFeedback(heard)
    for name, value in job["parameters"].items():
        if value == FIRST:
            job["parameters"][name] = first["results"]["OUTPUT"]
    for definition in algorithm.destinationParameterDefinitions():
        value = job["parameters"].get(definition.name())
        if value and definition.type() == "vectorDestination":
            job["parameters"][definition.name()] = destination(value)
    try:
        results, fine = algorithm.run(job["parameters"], context, heard, {}, False)
    except QgsProcessingException as e:
        return {"error": str(e), "lines": heard.lines}
    load(algorithm, context, heard)
    return {"ok": fine, "results": results, "lines": heard.lines, "shares": heard.shares}


def destination(path):
    """A layer to write that is loaded when it is there."""
    return QgsProcessingOutputLayerDefinition(path, QgsProject.instance())


def drawn(picture, scene):
    """Draw the roads over the scene; what went wrong."""
    found = [node.layer() for node in QgsProject.instance().layerTreeRoot().findLayers()]
    layers = [layer for layer in found if layer.name() in ("nodes", "roads")]
    background = QgsRasterLayer(scene, "scene")
    settings = QgsMapSettings()
    settings.setLayers([*layers, background])
    settings.setDestinationCrs(background.crs())
    settings.setExtent(background.extent())
    settings.setOutputSize(QSize(600, 600))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(picture)
    return [f"{e.layerID}: {e.message}" for e in job.errors()]


def main():
    plugin, jobs, report, picture = sys.argv[1:]
    sys.path.insert(0, str(Path(plugin).parent))
    app = QgsApplication([], True)  # the style of a layer asks for the window system, if only in memory
    app.initQgis()
    from processing.core.Processing import Processing

    Processing.initialize()
    from processing.gui.Postprocessing import handleAlgorithmResults

    import georoads

    loaded = georoads.classFactory(None)
    loaded.initProcessing()
    told = json.loads(Path(jobs).read_text(encoding="utf-8"))
    provider = QgsApplication.processingRegistry().providerById("georoads")
    found = {"algorithms": {each.name(): described(each) for each in provider.algorithms()}}
    found["suffixes"] = provider.supportedOutputVectorLayerExtensions()
    tiles = QgsRasterLayer("type=xyz&url=https://tiles.example/{z}/{x}/{y}.png", "tiles", "wms")
    QgsProject.instance().addMapLayer(tiles, False)
    found["jobs"] = []
    for job in told["jobs"]:
        first = (found["jobs"] or [None])[0]
        found["jobs"].append(done(job, lambda *what: handleAlgorithmResults(*what, False), first))
    found["layers"] = [layer_found(node) for node in QgsProject.instance().layerTreeRoot().findLayers()]
    found["errors"] = drawn(picture, told["scene"])
    Path(report).write_text(json.dumps(found), encoding="utf-8")
    QgsProject.instance().clear()
    loaded.unload()
    app.exitQgis()


main()

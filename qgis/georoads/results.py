# SPDX-License-Identifier: GPL-2.0-or-later
"""What is made comes into the project with the style that its GeoPackage holds, all layers of it."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from qgis.core import QgsProcessingLayerPostProcessorInterface, QgsProject


class _Styled(QgsProcessingLayerPostProcessorInterface):
    """Gives a layer the style that its file names as its default, which Processing does not."""

    def postProcessLayer(self, layer, context, feedback):
        layer.loadDefaultStyle()
        layer.triggerRepaint()
        _lay_below_points(layer)


_KEPT: deque = deque(maxlen=64)
"""Python's half of each lives here; the other half is deleted by the run's context, so each has one only."""


def load_layers(path: str, layers: tuple[str, ...], context) -> str:
    """Have all layers of a GeoPackage loaded in place of the file, where the user wants to have it loaded.

    Args:
        path: the file, as Processing was told of it.
        layers: names of its layers; the first is the result. Empty, or another format: the file is the layer.
        context: of the run.

    Returns:
        What names the result in QGIS.
    """
    uris = [f"{path}|layername={layer}" for layer in layers] if Path(path).suffix.lower() == ".gpkg" else []
    waiting = context.layersToLoadOnCompletion()
    if not uris or path not in waiting:
        return uris[0] if uris else path
    details = waiting.pop(path)
    context.setLayersToLoadOnCompletion(waiting)
    for layer, uri in zip(layers, uris):
        named = context.LayerDetails(layer, details.project, details.outputName)
        _KEPT.append(_Styled())
        named.setPostProcessor(_KEPT[-1])
        context.addLayerToLoadOnCompletion(uri, named)
    return uris[0]


def _lay_below_points(layer):
    """Move the nodes of the same file above their lines, in whichever order they were loaded."""
    root, file = QgsProject.instance().layerTreeRoot(), layer.source().partition("|")[0]
    nodes = [
        each for each in root.findLayers()
        if each.layer() is not None and each.layer().source() == f"{file}|layername=nodes"
    ]  # fmt: skip
    ours = root.findLayer(layer.id())
    if layer.name() != "roads" or not nodes or ours is None or nodes[0].parent() != ours.parent():
        return
    group = ours.parent()
    children = [each.layerId() for each in group.children() if hasattr(each, "layerId")]
    if children.index(nodes[0].layerId()) > children.index(ours.layerId()):
        group.insertChildNode(group.children().index(ours), nodes[0].clone())
        group.removeChildNode(nodes[0])

# SPDX-License-Identifier: GPL-2.0-or-later
"""Set up georoads: an environment of the plugin's own, made by uv, or by venv and pip."""

from __future__ import annotations

import os
import shlex

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
)

from .command import read_description
from .controls import advanced
from .environment import MissingError, cleaned, clear, mark_ready, setup_steps
from .places import home
from .run import run, signals_heard

SOURCE, PYTHON, PROGRAM = "SOURCE", "PYTHON", "PROGRAM"


class SetupAlgorithm(QgsProcessingAlgorithm):
    """Makes the environment anew, says each command, and lets georoads look at itself."""

    def createInstance(self):
        return SetupAlgorithm()

    def name(self):
        return "setup"

    def displayName(self):
        return "Set up georoads"

    def shortDescription(self):
        return "Install georoads for this plugin, beside QGIS and apart from it."

    def shortHelpString(self):
        return (
            "<p>Makes a virtual environment in your QGIS profile and installs georoads into it, without "
            "torch: about 1.2 GB on disk. QGIS's own Python is not touched. uv is used where it is "
            "installed; otherwise Python 3.11 or newer is needed, with venv.</p>"
            "<p>Each command is shown before it runs. One that is there already is replaced. To remove it, "
            "delete the folder georoads of the profile (Settings, User Profiles, Open Active Profile "
            "Folder).</p><p>Not needed where georoads is on the PATH, or is named in Settings, Options, "
            "Processing, Providers, georoads.</p>"
        )

    def initAlgorithm(self, configuration=None):
        source = QgsProcessingParameterFile(
            SOURCE, "Wheel of georoads, instead of the package index", optional=True,
            fileFilter="Wheel (*.whl)",
        )  # fmt: skip
        source.setHelp("A file georoads-….whl; or, typed in, the folder of its source.")
        python = QgsProcessingParameterFile(PYTHON, "Python to use, 3.11 or newer", optional=True)
        self.addParameter(source)
        self.addParameter(advanced(python, "The first fit one on the PATH where it is left empty."))
        self.addOutput(QgsProcessingOutputString(PROGRAM, "Program"))

    def checkParameterValues(self, parameters, context):
        """Anything that is there is taken: a wheel, or a folder."""
        return True, ""

    def processAlgorithm(self, parameters, context, feedback):
        version, _ = read_description()
        source, python = (
            self.parameterAsString(parameters, key, context).strip() for key in (SOURCE, PYTHON)
        )
        try:
            steps = setup_steps(home(), version, os.environ, source, python)
            clear(home())
        except (MissingError, OSError) as e:
            raise QgsProcessingException(str(e)) from e
        for number, step in enumerate(steps):
            feedback.setProgressText(step.what)
            self._do(step.words, feedback)
            if feedback.isCanceled():
                return {}
            feedback.setProgress(90.0 * (number + 1) / len(steps))
        program = mark_ready(home())
        feedback.setProgressText("Let georoads look at itself")
        self._do((str(program.path), "doctor"), feedback)
        return {PROGRAM: str(program.path)}

    def _do(self, words, feedback):
        """Run one command.

        Raises:
            QgsProcessingException: it fails, with its last words.
        """
        feedback.pushCommandInfo(shlex.join(words))
        with signals_heard() as heard:
            try:
                ended = run(
                    words, cleaned(os.environ), on_line=feedback.pushInfo,
                    is_cancelled=lambda: feedback.isCanceled() or heard(),
                )  # fmt: skip
            except OSError as e:
                raise QgsProcessingException(f"{words[0]} cannot be started: {e.strerror}") from e
        if not ended.well and not feedback.isCanceled():
            last = "\n".join(ended.said[-5:])
            raise QgsProcessingException(f"{words[0]} ended with {ended.code}:\n{ended.error or last}")

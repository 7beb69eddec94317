"""TensorBoard, for those who have it: the lines of history.csv as scalars."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from georoads.extras import require_extra
from georoads.training.run_folder import Epoch


def log_to_tensorboard(folder: Path, epoch: Epoch) -> None:
    """Add an epoch to ``tensorboard/`` of the run folder.

    A resumed training leaves nothing twice: TensorBoard drops what came after the epoch that it goes on from.

    Raises:
        GeoroadsError: TensorBoard is not installed.
    """
    require_extra("tensorboard", "train.tensorboard", ("tensorboard",))
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard"), purge_step=epoch.epoch) as writer:
        for name, value in asdict(epoch).items():
            if name != "epoch":
                section = name.split("_")[0] if name.startswith(("train_", "val_")) else "run"
                writer.add_scalar(f"{section}/{name}", value, epoch.epoch)

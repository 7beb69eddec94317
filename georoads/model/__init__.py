"""The network: building it, its encoder weights, the checkpoint and its card."""

"""Graph to centrelines: straightened, smoothed, measured."""

"""Training data: the DeepGlobe layout and folders of pairs, splits, chips and their augmentation."""

"""Where the parts of a long job are done: by threads of this process, or by workers on a Ray cluster."""

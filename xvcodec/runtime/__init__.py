"""Where the steps of a model run: torch or onnxruntime, on a CPU or a GPU, behind one interface."""

"""ONNX in, `Graph` out: quantization, reading of QDQ and QOperator files, and the rules of what can be read."""

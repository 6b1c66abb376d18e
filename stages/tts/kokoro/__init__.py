"""Kokoro on ONNX Runtime."""

"""Torch as a backend: on the CPU as the reference, on CUDA devices for speed."""

"""Drivers of everything outside: cameras, axes, rig files, recordings and images."""

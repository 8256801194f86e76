"""Finds weak scratches on large optics while a dark-field instrument scans them."""

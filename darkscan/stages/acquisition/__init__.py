"""Acquisition: writes each frame once into the ring and answers for it until it is mapped."""

"""Prepares a replay or a rig's scan, and runs its stages to the map."""

"""Starts, watches and ends the processes of a run, and keeps the run's files."""

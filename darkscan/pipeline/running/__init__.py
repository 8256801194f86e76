"""What starts, watches and ends the processes of a run, and what a run leaves."""

"""The commands, one file each; the only room that knows all others."""

"""The Attention Fusion Network: its modules, training and export (in torch)."""

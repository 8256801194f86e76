"""Carries frames and messages between processes, and accounts for them."""

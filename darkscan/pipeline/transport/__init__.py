"""What carries frames and messages between processes, and accounts for them."""

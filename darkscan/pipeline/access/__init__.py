"""Who may speak with this computer over a network: keys, the list of allowed ones, and the door."""

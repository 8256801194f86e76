"""The host computer's program: receives maps, stores them, shows them."""

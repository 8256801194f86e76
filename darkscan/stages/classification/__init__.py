"""Classification on other computers: the gateway on this one, the worker on the other."""

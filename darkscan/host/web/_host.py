"""What the routes share: the store and all that is made from it."""

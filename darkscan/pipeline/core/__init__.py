"""The words of all rooms: errors, units, settings, recipe, scans, geometry, maps."""

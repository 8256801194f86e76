"""What all rooms speak of: errors, units, settings, recipe, scans, geometry, maps."""

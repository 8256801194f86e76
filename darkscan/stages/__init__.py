"""One process each: acquisition, preprocessing, classification, merging."""

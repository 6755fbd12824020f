"""Steps of the labelling lifecycle."""

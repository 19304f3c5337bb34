"""Where a signal agrees with the listeners of a study, and how far that can be told."""

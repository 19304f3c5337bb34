"""Whether a signal or a reward model may serve as a reward for the clips of a study."""

"""What is presented to whom and in which order: pure functions of counts and a generator."""

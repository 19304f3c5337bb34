"""What came of a test: progress, screening, results, and the study folder that others read."""

"""Speech corpora made or read on the spot: spoken digit strings, clean and with known flaws."""

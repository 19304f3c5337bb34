"""Many clips, many signals: plans, processes, results that survive."""

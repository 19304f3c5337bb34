"""Small word recognisers, trained on the spot."""

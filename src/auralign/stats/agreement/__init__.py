"""How far raters agree, with each other and with themselves."""

from auralign.stats.agreement.pairwise import krippendorff_alpha, pairwise_agreement

__all__ = ["krippendorff_alpha", "pairwise_agreement"]

"""The predictors of opinion scores, from files that the user has downloaded."""

from __future__ import annotations

from auralign.signals.models import aesthetics, dnsmos, scoreq, utmos

SIGNALS = (*dnsmos.SIGNALS, *scoreq.SIGNALS, *utmos.SIGNALS, *aesthetics.SIGNALS)

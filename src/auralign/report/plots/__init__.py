"""Plots of preference statistics as SVG, and a page that holds them."""

from auralign.report.plots.caterpillar import caterpillar
from auralign.report.plots.heat_map import residual_matrix, win_matrix
from auralign.report.plots.lengths import agreement_by_length
from auralign.report.plots.page import render_statistics
from auralign.report.plots.records import (
    CaterpillarPlot,
    CaterpillarRow,
    Figure,
    LengthInterval,
    LengthPlot,
    MatrixCell,
    MatrixPlot,
    StatisticsPage,
    TextTable,
    TriadPlot,
)
from auralign.report.plots.standalone import standalone
from auralign.report.plots.triad import triad

__all__ = [
    "CaterpillarPlot",
    "CaterpillarRow",
    "Figure",
    "LengthInterval",
    "LengthPlot",
    "MatrixCell",
    "MatrixPlot",
    "StatisticsPage",
    "TextTable",
    "TriadPlot",
    "agreement_by_length",
    "caterpillar",
    "render_statistics",
    "residual_matrix",
    "standalone",
    "triad",
    "win_matrix",
]

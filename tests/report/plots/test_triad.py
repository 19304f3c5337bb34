from auralign.report.plots import TriadPlot, triad


def turns(drawing):
    return drawing.description.split(". ")


def test_a_circle_goes_round(parse):
    plot = TriadPlot("t", ("a", "b", "c"), (0.6, 0.7, 0.8), (10, 20, 30))
    drawing = parse(triad(plot))
    assert [turn.split(" in ")[0] for turn in turns(drawing)] == [
        "a beats b",
        "b beats c",
        "c beats a",
    ]
    assert {"60\N{NO-BREAK SPACE}% of 10", "80\N{NO-BREAK SPACE}% of 30"} <= set(drawing.words)
    assert len(drawing.of_class("head")) == 3


def test_an_arrow_leads_from_the_winner_whichever_way_the_pair_was_given(parse):
    plot = TriadPlot("t", ("a", "b", "c"), (0.3, 0.7, 0.8), (10, 20, 30))
    assert turns(parse(triad(plot)))[0] == "b beats a in 70\N{NO-BREAK SPACE}% of 10"

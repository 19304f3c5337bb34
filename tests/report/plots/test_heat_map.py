from auralign.report.plots import MatrixCell, MatrixPlot, residual_matrix, win_matrix

NONE = MatrixCell(None)


def plot(a_over_b, n=10.0, b_over_a=None):
    other = 1 - a_over_b if b_over_a is None else b_over_a
    cells = (
        (NONE, MatrixCell(a_over_b, n), NONE),
        (MatrixCell(other, n), NONE, NONE),
        (NONE, NONE, NONE),
    )
    return MatrixPlot("t", ("a", "b", "c"), cells)


def opacity(element):
    return float(element.get("fill-opacity"))


def test_a_win_and_its_loss_have_opposite_colours_of_one_strength(parse):
    drawing = parse(win_matrix(plot(0.8)))
    (more,), (less,) = drawing.of_class("more"), drawing.of_class("less")
    assert opacity(more) == opacity(less)
    assert [w for w in drawing.words if w in ("80", "20")] == ["80", "20"]


def test_the_farther_from_even_the_stronger_the_colour(parse):
    strengths = [opacity(parse(win_matrix(plot(p))).of_class("more")[0]) for p in (0.55, 0.7, 1.0)]
    assert strengths == sorted(strengths)
    assert strengths[0] < strengths[-1]


def test_what_was_never_compared_is_empty_and_says_so(parse):
    drawing = parse(win_matrix(plot(0.8)))
    assert len(drawing.of_class("none")) == 4
    assert len(drawing.of_class("diagonal")) == 3
    titles = [e.text for e in drawing.root.iter() if e.tag.endswith("title")]
    assert "a wins over c: never compared" in titles


def test_residuals_have_signs_and_full_colour_from_three_standard_errors(parse):
    drawing = parse(residual_matrix(plot(3.0, b_over_a=-3.0)))
    farther = parse(residual_matrix(plot(30.0, b_over_a=-30.0)))
    assert "+3.0" in drawing.words
    assert "\N{MINUS SIGN}3.0" in drawing.words
    assert opacity(drawing.of_class("more")[0]) == opacity(farther.of_class("more")[0])


def test_long_names_keep_their_end(parse):
    name = "corpus/of/recordings/with/a/long/path/take-7"
    cells = ((NONE, NONE), (NONE, NONE))
    words = parse(win_matrix(MatrixPlot("t", (name, "b"), cells))).words
    assert any(w.startswith("1  …") and w.endswith("take-7") for w in words)

"""The problems by name, and tables from CSV files."""

import numpy as np
import pytest

from workbench.errors import InvalidInputError
from workbench.trainer import dense_grid, problem, problem_names, read_csv, split_of


def test_reference_problem():
    """Y = −x·sin(10x) at 0.001, 0.002, …, 1.000, the reference problem's 1000 samples."""
    given = problem("multimodal_1d")
    assert given.x.shape == given.y.shape == (1000, 1)
    np.testing.assert_array_equal(given.x[:, 0], np.arange(1, 1001) / 1000)
    np.testing.assert_array_equal(given.y, -given.x * np.sin(10 * given.x))


@pytest.mark.parametrize("name", problem_names())
def test_problems_are_seeded_and_true(name):
    """The same seed gives the same samples, and without noise they are the true function."""
    given, again = problem(name, seed=3), problem(name, seed=3)
    assert given.x.tobytes() == again.x.tobytes()
    assert given.y.tobytes() == again.y.tobytes()
    errors = given.y - given.truth(given.x)
    if given.noise:
        assert np.std(errors) == pytest.approx(given.noise, rel=0.15)
        assert problem(name, seed=4).y.tobytes() != given.y.tobytes()
    else:
        assert not errors.any()
    assert not given.x.flags.writeable
    assert given.description


def test_problems_cover_different_kinds():
    """Several inputs, several outputs, noise and a step are all there."""
    problems = [problem(name) for name in problem_names()]
    assert any(given.x.shape[1] > 1 for given in problems)
    assert any(given.y.shape[1] > 1 for given in problems)
    assert any(given.noise > 0 for given in problems)
    step = problem("step_1d")
    assert np.abs(np.diff(step.truth(np.array([[0.4999], [0.5]])), axis=0)).item() > 0.5


@pytest.mark.parametrize("name", problem_names())
def test_dense_grid_touches_no_sample(name):
    """The grid for judging quality lies within the samples' range, and on none of them."""
    given = problem(name)
    x, y = dense_grid(given, 777)
    assert x.shape == (777, given.x.shape[1])
    assert (x >= given.x.min(axis=0)).all()
    assert (x <= given.x.max(axis=0)).all()
    assert not set(map(tuple, x)) & set(map(tuple, given.x[split_of(len(given.x)).training]))
    np.testing.assert_array_equal(y, given.truth(x))


def csv(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_csv_columns_by_name(tmp_path):
    """Columns come in the order asked for; blank lines, spaces, quotes and a byte order mark do no harm."""
    path = csv(tmp_path, '﻿time, "load" ,y\r\n1,2,3\r\n\r\n 4 ,5e0,"-6"\r\n')
    table = read_csv(path, inputs=["load", "time"], targets=["y"])
    assert table.x.tolist() == [[2.0, 1.0], [5.0, 4.0]]
    assert table.y.tolist() == [[3.0], [-6.0]]
    assert (table.inputs, table.targets) == (("load", "time"), ("y",))


@pytest.mark.parametrize(
    "text",
    [
        "a,u,u,y\n1,2,3,4\n5,x,,8\n",
        "a,y,\n1,4,\n5,8,\n",
        "a,y\n1,4,\n5,8\n",
        "a,y,,\n1,4\n5,8,,\n",
        ",a,y\n0,1,4\n1,5,8\n",
        "a;y\n1;4\n5;8\n",
        "a;y\n1,0;4,0\n5,0e0;8\n",
        "a;y;text\n1.0;4.;x,y\n5;8;\n",
        "a\ty\n+1\t4\n5\t80E-1\n",
    ],
)
def test_tables_as_they_are_written_elsewhere(tmp_path, text):
    """Unused columns may be anything; separators may end a line; semicolons and tabs go with either decimal mark."""
    table = read_csv(csv(tmp_path, text), inputs=["a"], targets=["y"])
    assert table.x.tolist() == [[1.0], [5.0]]
    assert table.y.tolist() == [[4.0], [8.0]]


def test_columns_with_any_name(tmp_path):
    """A name may be a number, or have a comma in it."""
    table = read_csv(csv(tmp_path, '2019,"load, kW"\n1,2\n'), inputs=["2019"], targets=["load, kW"])
    assert (table.x.tolist(), table.y.tolist()) == ([[1.0]], [[2.0]])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,y\n", "a header and no rows"),
        ("1,2\n3,4\n", "has no header: its first line is 1, 2"),
        ("a,a,y\n1,2,3\n", "two columns named 'a'"),
        ("a,y\n1,1_376\n", "row 2, column 'y' holds '1_376'"),
        ("a,y\n1,0x1f\n", "row 2, column 'y' holds '0x1f'"),
        ("a,y\n1,1e400\n", "row 2, column 'y' holds '1e400'"),
        ('a,y\n1,"1,5"\n', "row 2, column 'y' holds '1,5' among numbers with a decimal point"),
        ("a;y\n1,5;2\n1;1.376\n", "row 3, column 'y' holds '1.376' among numbers with a decimal comma"),
        ("a;y\n1;1.376,5\n", "row 2, column 'y' holds '1.376,5'"),
        ("a,y\n1,.\n", "row 2, column 'y' holds '.'"),
        ("2019,2020\n1,2\n", "has no header: its first line is 2019, 2020"),
        ("aa,y\n1,2\n", "unknown column 'a': choose|unknown column 'a': did you mean 'aa'"),
        ("a,y\n1,2\n3,\n", "row 3, column 'y' is empty"),
        ("a,y\n1,2\n\nx,4\n", "row 4, column 'a' holds 'x'"),
        ("a,y\n1,nan\n", "row 2, column 'y' holds 'nan'"),
        ("a,y\n1,inf\n", "row 2, column 'y' holds 'inf'"),
        ("a,y\n1\n", "row 2 has 1 values for 2 columns"),
        ("a,y\n1,2,3\n", "row 2 has 3 values for 2 columns"),
        ("a|y\n1|2\n", "unknown column 'a'"),
        ("a;y;\n1;2;3;4\n", "row 2 has 4 values for 2 columns"),
    ],
)
def test_csv_mistakes_are_placed(tmp_path, text, match):
    """Each mistake is named with the file, the row and the column."""
    path = csv(tmp_path, text)
    with pytest.raises(InvalidInputError, match=match) as caught:
        read_csv(path, inputs=["a"], targets=["y"])
    assert str(path) in str(caught.value)


def test_csv_that_cannot_be_read(tmp_path):
    """A missing file, a directory and a file of another encoding are distinguished."""
    with pytest.raises(InvalidInputError, match="no file"):
        read_csv(tmp_path / "none.csv", ["a"], ["y"])
    with pytest.raises(InvalidInputError, match="cannot read"):
        read_csv(tmp_path, ["a"], ["y"])
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read_csv(csv(tmp_path, "a,ÿ\n1,2\n", "latin-1"), ["a"], ["y"])


@pytest.mark.parametrize(
    ("inputs", "targets", "match"),
    [([], ["y"], "inputs is \\[\\]"), ("a", ["y"], "inputs is 'a'"), (["a"], ["a"], "asked for twice")],
)
def test_csv_names(tmp_path, inputs, targets, match):
    """The names asked for are checked as well."""
    with pytest.raises(InvalidInputError, match=match):
        read_csv(csv(tmp_path, "a,y\n1,2\n"), inputs, targets)

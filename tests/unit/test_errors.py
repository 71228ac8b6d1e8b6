import pytest

from rivulet.errors import first_line, last_line


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("torch says why\n  Stack:\n", "torch says why", "Stack:"),
        ("\n Traceback:\n  TVM says why \n\n", "Traceback:", "TVM says why"),
        (" \n", "ValueError", "ValueError"),
    ],
)
def test_of_a_long_error_one_line_is_told(text, first, last):
    error = ValueError(text)
    assert (first_line(error), last_line(error)) == (first, last)

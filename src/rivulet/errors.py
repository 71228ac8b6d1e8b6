"""Errors that a person can act on."""


class UserError(Exception):
    """Something the user can mend: bad input, a missing tool, a machine that does not fit.

    The message is shown alone on one line, with no traceback, so it has to name what is
    wrong (file, key, value) and what to do about it.
    """


def first_line(error: BaseException) -> str:
    """Where ONNX Runtime and torch say what is wrong; the error's class where it has no text."""
    return _lines(error)[0]


def last_line(error: BaseException) -> str:
    """Where TVM says what is wrong; the error's class where it has no text."""
    return _lines(error)[-1]


def _lines(error: BaseException) -> list[str]:
    lines = (line.strip() for line in str(error).splitlines())
    return [line for line in lines if line] or [type(error).__name__]

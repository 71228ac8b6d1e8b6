"""Errors that a person can act on."""


class UserError(Exception):
    """Something the user can mend: bad input, a missing tool, a machine that does not fit.

    The message is shown alone on one line, with no traceback, so it has to name what is
    wrong (file, key, value) and what to do about it.
    """

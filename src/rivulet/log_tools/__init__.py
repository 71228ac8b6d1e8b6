"""Tools for logs: show, merge, prune, check, validate and export them."""

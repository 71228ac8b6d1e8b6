"""``python -m rivulet.log_tools``: the command line for logs."""

from rivulet.log_tools.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

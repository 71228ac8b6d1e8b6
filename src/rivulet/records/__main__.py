"""``python -m rivulet.records``: the command line for logs."""

from rivulet.records.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

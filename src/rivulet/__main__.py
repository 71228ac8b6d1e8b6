"""``python -m rivulet``: the command ``rivulet`` where it is not installed."""

from rivulet.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())

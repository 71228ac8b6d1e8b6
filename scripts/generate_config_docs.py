#!/usr/bin/env python3
"""Writes the generated files of config/ from the configuration's model, or checks them."""

import argparse
import sys
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.config import docs
from rivulet.generated import bring_up_to_date

FOLDER = Path(__file__).resolve().parent.parent / "config"


def generated(folder: Path) -> dict[Path, str]:
    """Return what each generated file of the folder should hold."""
    readme = folder / "README.md"
    return {
        folder / "schema.json": docs.schema_text(),
        folder / "config.yaml": docs.default_config_text(),
        readme: docs.readme_text(readme.read_text(encoding="utf-8")),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Write config/schema.json, config/config.yaml and the key table of "
        "config/README.md from the models in src/rivulet/config."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with status 1 if a file is out of date",
    )
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="folder with the files (default: config/)"
    )
    options = parser.parse_args(arguments)
    try:
        wanted = generated(options.folder)
    except (OSError, ValueError) as error:
        print(f"{options.folder / 'README.md'}: {error}", file=sys.stderr)
        return 1
    return bring_up_to_date(wanted, "scripts/generate_config_docs.py", options.check)


if __name__ == "__main__":
    sys.exit(main())

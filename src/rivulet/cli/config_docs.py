"""Write the generated files of config/ from the configuration's model, or check them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rivulet.config import docs
from rivulet.generated import bring_up_to_date

FOLDER = Path("config")


def generated(folder: Path) -> dict[Path, str]:
    """Return what each generated file of the folder should hold."""
    readme = folder / "README.md"
    return {
        folder / "schema.json": docs.schema_text(),
        folder / "config.yaml": docs.default_config_text(),
        readme: docs.readme_text(readme.read_text(encoding="utf-8")),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="rivulet config-docs",
        description="Write config/schema.json, config/config.yaml and the key table of "
        "config/README.md from the models in src/rivulet/config.",
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
    return bring_up_to_date(wanted, "rivulet config-docs", options.check)

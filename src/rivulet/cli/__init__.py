"""The command ``rivulet``: one module for each of its subcommands."""

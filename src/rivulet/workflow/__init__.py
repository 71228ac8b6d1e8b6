"""What the Snakefile asks of the package while it plans: config, settings, staleness, locks."""

"""Compile whole models with a log's schedules, and time the variants against each other."""

"""Rivulet: how fast can each model get on each device, and how little search does it take?"""

__version__ = "0.1.0"

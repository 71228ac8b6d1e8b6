"""Arithmetic of schedules that strategies share: tile splits and their neighbours."""

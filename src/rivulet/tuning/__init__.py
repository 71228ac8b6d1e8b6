"""What all strategies share: a session that measures, records and resumes, and the loop."""

from rivulet.tuning.budget import TrialBudget
from rivulet.tuning.candidate import Batch, Candidate, Role
from rivulet.tuning.run import tune
from rivulet.tuning.session import Session
from rivulet.tuning.strategy import Strategy

__all__ = ["Batch", "Candidate", "Role", "Session", "Strategy", "TrialBudget", "tune"]

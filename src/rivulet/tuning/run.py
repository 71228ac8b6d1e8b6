"""The loop of every strategy."""

from __future__ import annotations

import time

from rivulet.tuning.budget import Budget, NoLimit
from rivulet.tuning.session import Session
from rivulet.tuning.strategy import Strategy


def tune(strategy: Strategy, session: Session, budget: Budget | None = None) -> None:
    """Measure what a strategy proposes until it or its budget ends.

    Each batch is written to the session's log before the next one is proposed.

    Args:
        strategy: Proposes candidates and learns.
        session: Measures them.
        budget: How many; by default as many as the strategy proposes.

    Raises:
        UserError: Nothing that was measured ran.
    """
    budget = budget or NoLimit()
    session.enter(strategy.name, strategy.keeps_schedules)
    strategy.start(session, budget)
    while (most := budget.left(session.measured)) > 0:
        began, benching = time.monotonic(), session.benching
        batch = strategy.propose(most)
        if batch is None:
            break
        strategy.learn(batch.candidates, session.measure(batch))
        replaying = session.recorder.replaying
        spent = time.monotonic() - began - (session.benching - benching)
        session.end_batch(batch.kernel, spent)
        if not replaying:
            session.report(*strategy.standing())
    strategy.finish()
    session.require_a_valid_trial()

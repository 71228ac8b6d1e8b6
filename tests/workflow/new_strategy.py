"""Random search: samples each kernel's design space, one kernel after the other."""

import random

from rivulet.schedules.design_space import open_design_space
from rivulet.stages.tuning import SearchStage
from rivulet.tuning import Batch, Candidate, Strategy
from rivulet.tvm_compat.names import candidate_name
from rivulet.tvm_compat.traces import ReplayFailure


class RandomSearch(Strategy):
    """The strategy."""

    name = "random"

    def __init__(self, seed, per_batch):
        self._random, self._per_batch, self._turn = random.Random(seed), per_batch, 0

    def start(self, session, budget):
        super().start(session, budget)
        self._spaces = [
            open_design_space(k.module, session.target, None, 1, seed=1)[1] for k in session.kernels
        ]

    def propose(self, most):
        place = self._turn % len(self._spaces)
        self._turn += 1
        return Batch([self._sample(place) for _ in range(min(most, self._per_batch))], place)

    def _sample(self, place):
        while True:
            try:
                point = self._spaces[place].sample(self._random)
                schedule = self._spaces[place].schedule(point, self._random.randrange(1, 99))
            except ReplayFailure:
                continue
            return Candidate(place, schedule, candidate_name(schedule.mod))

    def learn(self, candidates, results):
        pass


class RandomStage(SearchStage):
    """The job."""

    name = method = "random"
    about = "Sample schedules at random."

    def strategy(self, job, tuned):
        return RandomSearch(self.settings.search.seed, self.settings.search.batch_size)


STAGE = RandomStage

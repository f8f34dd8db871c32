"""State machines over a real database, run by the seed of all races."""

from django.core.management import call_command
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from shop.pools.audit import audit
from tests.kit.hows import SEED

# What one drain settles in a transaction, where the fixture `deadly` is used.
BATCH = 3


class Machine(RuleBasedStateMachine):
    """One whose examples leave their rows behind."""

    def __init__(self) -> None:
        super().__init__()
        if audit().broken:
            # What a broken example left must not be taken for the next one's.
            call_command("flush", interactive=False, verbosity=0)


def run_machine(machine: type[Machine], *, examples: int) -> None:
    print(f"RACE_SEED={SEED}")
    seed(SEED)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            # Steps on a real database are too slow to be tried again in search of fewer.
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

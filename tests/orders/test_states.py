"""The one table of states: closed, no dead ends but the final ones, the same read both ways."""

import pytest

from orders.states import FINAL, INITIAL, MOVES, PAYABLE, State, sources


def reachable(start):
    seen, waiting = set(start), list(start)
    while waiting:
        for target in MOVES[waiting.pop()] - seen:
            seen.add(target)
            waiting.append(target)
    return seen


def test_every_state_has_its_row_and_every_target_is_a_state():
    assert set(MOVES) == set(State)
    assert set().union(*MOVES.values()) <= set(State)


def test_final_states_have_no_moves_but_the_one_that_an_operator_makes_and_all_others_have():
    assert {state for state in State if not MOVES[state]} == FINAL - {State.FAILED}
    assert {State.CANCELLED, State.EXPIRED, State.FAILED, State.REFUNDED} == FINAL
    assert MOVES[State.FAILED] == {State.PENDING}


def test_every_state_can_be_reached_from_a_first_one():
    assert reachable(INITIAL) == set(State)


@pytest.mark.parametrize("state", State)
def test_every_state_leads_to_a_final_one(state):
    assert reachable({state}) & FINAL


def test_no_order_comes_back_to_a_state_it_has_left_unless_a_failed_one_is_tried_again():
    back = {(one, other) for one in State for other in MOVES[one] if one in reachable({other})}
    assert back == {(State.PENDING, State.FAILED), (State.FAILED, State.PENDING)}


@pytest.mark.parametrize("target", State)
def test_sources_are_the_moves_read_backwards(target):
    assert sources(target) == {source for source in State if target in MOVES[source]}


def test_what_waits_for_money_may_be_paid_and_nothing_else_that_holds_units_may():
    assert sources(State.PAID) == PAYABLE | {State.PENDING}


def test_cancelling_is_for_orders_that_are_not_paid():
    assert sources(State.CANCELLED) == PAYABLE | {State.PENDING}


def test_money_is_given_back_only_after_it_came():
    paid = reachable({State.PAID}) - FINAL - {State.REFUNDING}
    assert sources(State.REFUNDING) == paid
    assert sources(State.REFUNDED) == {State.REFUNDING}


def test_states_fit_the_columns_that_hold_them():
    assert max(len(state) for state in State) <= 10

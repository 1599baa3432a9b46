from __future__ import annotations

import pytest
import torch

from triptych.models.sequence.selection import VariableSelection


@torch.no_grad()
def test_columns_are_chosen_by_weights_that_sum_to_one() -> None:
    torch.manual_seed(0)
    selection = VariableSelection(5, 8)
    x = torch.randn(3, 7, 5)
    weights = selection.weights(x)
    assert weights.shape == (3, 7, 5)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 7))
    assert selection(x).shape == (3, 7, 8)


@torch.no_grad()
def test_each_column_is_seen_by_a_network_of_its_own() -> None:
    torch.manual_seed(0)
    selection = VariableSelection(3, 8)
    # All weight on column 1: then the others do not matter.
    selection.weights = lambda x: torch.nn.functional.one_hot(torch.ones(x.shape[:2]).long(), 3).float()  # type: ignore[method-assign]
    x = torch.randn(2, 4, 3)
    other = x.clone()
    other[..., [0, 2]] = 9.0
    assert torch.equal(selection(x), selection(other))
    other[..., 1] += 1.0
    assert not torch.allclose(selection(x), selection(other))


@torch.no_grad()
def test_a_step_is_judged_by_itself() -> None:
    torch.manual_seed(0)
    selection = VariableSelection(4, 8)
    x = torch.randn(2, 6, 4)
    torch.testing.assert_close(selection(x)[:, 3:4], selection(x[:, 3:4]))


@pytest.mark.parametrize("columns", [2, 3, 22])
@pytest.mark.parametrize("wanted", ["equal", "one"])
def test_weights_can_be_learned_to_be_equal_and_to_be_all_on_one_column(columns: int, wanted: str) -> None:
    torch.manual_seed(0)
    selection = VariableSelection(columns, 8)
    optimizer = torch.optim.Adam(selection.parameters(), 0.05)
    aim = torch.full((columns,), 1 / columns) if wanted == "equal" else torch.eye(columns)[0]
    for _ in range(200):
        loss = -(aim * torch.log(selection.weights(torch.randn(64, 1, columns)) + 1e-9)).sum(dim=-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        weights = selection.weights(torch.randn(500, 1, columns))
    torch.testing.assert_close(weights.mean(dim=(0, 1)), aim, rtol=0.0, atol=0.03)


@torch.no_grad()
def test_weights_of_two_columns_follow_their_values() -> None:
    torch.manual_seed(0)
    weights = VariableSelection(2, 8).weights(torch.randn(100, 1, 2))
    assert weights[..., 0].unique().numel() > 50

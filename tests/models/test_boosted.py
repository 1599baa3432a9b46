import pytest
import torch

from triptych.models.boosted.trees import Tree, TreeEnsemble, TreeShape

STUMP = Tree(feature=[1, 0, 0], threshold=[0.5, 0.0, 0.0], left=[1, 1, 2], right=[2, 1, 2], value=[0.0, -1.0, 2.0],
             class_index=2)  # fmt: skip
DEEP = Tree(feature=[0, 0, 1, 0, 0], threshold=[0.0, 0.0, 10.0, 0.0, 0.0], left=[1, 1, 3, 3, 4], right=[2, 1, 4, 3, 4],
            value=[0.0, 5.0, 0.0, 6.0, 7.0], class_index=0)  # fmt: skip


def test_trees_answer_what_one_reads_off_them():
    trees = TreeEnsemble.of([STUMP, DEEP], [0.1, 0.2, 0.3])
    rows = torch.tensor([[-1.0, 0.5], [1.0, 0.6], [1.0, 11.0]])
    expected = torch.tensor([[5.1, 0.2, -0.7], [6.1, 0.2, 2.3], [7.1, 0.2, 2.3]])
    assert torch.allclose(trees(rows), expected)
    assert trees.shape == TreeShape(trees=2, nodes=5, depth=2, classes=3)


def test_a_tree_of_one_leaf_and_no_tree_at_all_say_their_value():
    leaf = Tree(feature=[0], threshold=[0.0], left=[0], right=[0], value=[4.0], class_index=1)
    assert leaf.depth() == 0
    rows = torch.zeros(2, 3)
    assert TreeEnsemble.of([leaf], [0.0, 0.0, 0.0])(rows).tolist() == [[0.0, 4.0, 0.0]] * 2
    assert TreeEnsemble.of([], [1.0, 2.0, 3.0])(rows).tolist() == [[1.0, 2.0, 3.0]] * 2


def test_an_empty_ensemble_takes_the_weights_of_another():
    trees = TreeEnsemble.of([STUMP, DEEP], [0.1, 0.2, 0.3])
    empty = TreeEnsemble(trees.shape)
    empty.load_state_dict(trees.state_dict())
    rows = torch.randn(50, 2)
    assert torch.equal(empty(rows), trees(rows))
    with pytest.raises(RuntimeError):
        TreeEnsemble(TreeShape(trees=1, nodes=5, depth=2)).load_state_dict(trees.state_dict())

import torch
from tests.fakes.classifier import CloseEncoding
from tests.fakes.two_headed import TwoHeaded

from triptych.inference.classifier import ProbabilityHead, WindowClassifier

WINDOWS = 1.0 + torch.rand(4, 8, 5, generator=torch.Generator().manual_seed(0))


def test_the_network_sees_the_image_centred_on_zero():
    seen = []
    network = TwoHeaded(8)
    network.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    WindowClassifier(CloseEncoding(), network)(WINDOWS)
    assert (seen[0].min().item(), seen[0].max().item()) == (-1.0, 1.0)


def test_scores_are_the_main_ones_whatever_else_the_network_says():
    classifier = WindowClassifier(CloseEncoding(), TwoHeaded(8))
    heads = classifier.network.create_auxiliary(0)
    main, auxiliary = classifier.train().all_scores(WINDOWS, heads)
    assert torch.equal(classifier(WINDOWS), main)
    assert auxiliary.shape == (4, 3)
    assert not torch.equal(main, auxiliary)


def test_evaluation_gives_one_answer_and_probabilities_that_sum_to_1():
    classifier = WindowClassifier(CloseEncoding(), TwoHeaded(8)).eval()
    assert len(classifier.all_scores(WINDOWS, classifier.network.create_auxiliary(0))) == 1
    torch.testing.assert_close(ProbabilityHead(classifier)(WINDOWS).sum(1), torch.ones(4))

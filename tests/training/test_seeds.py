from triptych.training.seeds import derive_seed


def test_the_same_labels_give_the_same_seed_in_every_process():
    assert derive_seed(7, "order", 3) == 3113647762940504243


def test_seeds_of_other_parts_epochs_and_runs_differ():
    seeds = {
        derive_seed(seed, part, epoch) for seed in range(10) for part in ("order", "network") for epoch in range(50)
    }
    assert len(seeds) == 1000


def test_seeds_are_accepted_by_every_generator():
    assert all(0 <= derive_seed(seed, "x") < 2**63 for seed in range(200))

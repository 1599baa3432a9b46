from __future__ import annotations

import re

from triptych.models.efficientnet import VARIANTS
from triptych.models.efficientnet.published import PUBLISHED

# Tags of timm's repositories, written down apart from the table they check.
KNOWN = re.compile(
    r"(ra2?|ra4_e3600_r\d+|ft|sw_in12k_ft|ns_jft|ap|aa|in21k_ft)_in1k|in1k|in21k|sw_in12k|"  # empty: nothing published
)


def test_every_variant_says_what_is_published_of_it() -> None:
    assert set(PUBLISHED) == set(VARIANTS)
    for weights in PUBLISHED.values():
        tags = [each.tag for each in weights]
        assert len(tags) == len(set(tags)) >= 1
        assert all(KNOWN.fullmatch(tag) for tag in tags)


def test_classes_follow_the_training_set() -> None:
    for weights in PUBLISHED.values():
        for each in weights:
            expected = {"in21k": 21_843, "sw_in12k": 11_821}.get(each.tag, 1000)
            assert each.num_classes == expected


def test_test_size_is_never_below_the_training_size() -> None:
    for weights in PUBLISHED.values():
        for each in weights:
            assert each.test_size == 0 or each.test_size > each.size

from __future__ import annotations

import triptych.models


def test_the_public_names_are_these() -> None:
    assert triptych.models.__all__ == [
        "Config",
        "SearchSpace",
        "WeightsReport",
        "adapt_input_conv",
        "build_network",
        "create_model",
        "fill_network",
        "list_models",
        "list_pretrained",
        "load_weights",
        "parameter_cap",
        "register_model",
        "search_space",
        "to_timm_names",
        "to_torchvision_names",
    ]
    assert all(hasattr(triptych.models, name) for name in triptych.models.__all__)

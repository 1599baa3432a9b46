"""`triptych tune`: the search joined from its parts; see `tuning.tune`."""

"""The rules of a search, free of any storage: what may vary, when a trial is given up, which one is chosen."""

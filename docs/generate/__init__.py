"""Pages and pictures that are made from the code at every build, so that they cannot grow stale."""

"""Schema changes, one purpose each."""

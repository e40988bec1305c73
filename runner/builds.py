"""From a submitted archive to a version that can run."""

"""Pages that join apps: home, explore, search, profiles, the model page."""

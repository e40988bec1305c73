"""Models, versions and their schemas, collections, search, publishing, moderation."""

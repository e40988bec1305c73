"""Files: store, sign, read, expire. Uploads of users, and outputs of models.

Links are capabilities: an upload's download link is signed and expires, an output's address carries a signature.
Source: replicate-api.md 2.11, 3.7, 3.8.
"""

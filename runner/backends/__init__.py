"""How an instance (one running coglet server) comes to be and ends: one small interface, several ways."""

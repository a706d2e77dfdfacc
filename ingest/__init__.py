"""Reads, fetches, computes and draws; knows nothing of MkDocs."""

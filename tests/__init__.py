"""The suite: its databases and nodes are real, started by `conftest.py` on demand."""

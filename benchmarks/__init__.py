"""The numbers of docs/benchmarks.md, each beside something measured in the same run."""

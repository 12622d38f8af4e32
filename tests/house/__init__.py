"""The house inspects itself: directions, sizes, exceptions to the rules, packaging."""

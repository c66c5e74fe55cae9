"""The API of the three kinds: models, defaults, validation and the kinds they stand on. Pure."""

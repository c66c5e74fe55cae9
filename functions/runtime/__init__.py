"""CloudEvent to answer: the World a function gets, applying steps, settings."""

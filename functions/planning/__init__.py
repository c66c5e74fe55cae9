"""Pure decisions: what is wanted and what was seen, to the next safe steps."""

"""Why a fault could not be begun or ended."""


class CannotFault(Exception):
    """The message says what is wrong and what can be done about it."""

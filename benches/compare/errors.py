"""What ends a comparison."""


class Failure(Exception):
    """Something did not work; the message says what, and what to do about it where that is known."""
